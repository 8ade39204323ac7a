package canonical_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/canonical"
)

const vectorsFile = "testdata/vectors.json"

var update = flag.Bool("update", false, "write testdata/vectors.json again")

// vector is an event and its form in hexadecimal.
type vector struct {
	About string          `json:"about"`
	Event json.RawMessage `json:"event"`
	Form  string          `json:"form"`
}

// whole is an event with all there is, for changes of single values.
const whole = `{"kind":"AuditEvent","apiVersion":"paddock.dev/v1alpha1","metadata":{"name":"ae-1","generateName":"ae-","namespace":"team-a",` +
	`"uid":"5b0e","resourceVersion":"77","generation":1,"creationTimestamp":"2026-04-25T12:00:03Z","managedFields":[{"manager":"broker","operation":"Update"}],` +
	`"labels":{"app":"x","paddock.dev/component":"broker","paddock.dev/decision":"denied","paddock.dev/kind":"egress-block"},` +
	`"annotations":{"paddock.dev/seal":"v1 01JSDD5R6N7ZQKPXM5T2E3V4W8 7 00112233445566778899aabbccddeeff","paddock.dev/omitted":"2 labels","note":"x","paddock.dev/timestamp":"2026-04-25T12:00:00.123456789Z"},` +
	`"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"1"}],"finalizers":["example.com/archive"]},` +
	`"spec":{"runRef":{"name":"hr-1"},"decision":"denied","kind":"egress-block","timestamp":"2026-04-25T12:00:00Z",` +
	`"actor":{"user":"u","groups":["a","","b"],"serviceAccount":"ns/sa","sourceAddress":"10.0.0.1","userAgent":"curl"},` +
	`"object":{"group":"apps","resource":"pods","namespace":"ns","name":"o","uid":"9","subresource":"eviction"},` +
	`"request":{"id":"r","verb":"CREATE"},"trace":{"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331"},` +
	`"destination":{"host":"example.com","port":443},"credential":{"name":"c","provider":"p","purpose":"q"},"matchedPolicy":{"name":"deny"},` +
	`"reason":"why","count":3,"sampleDestinations":[{"host":"a"},{},{"port":65535}],` +
	`"windowStart":"2026-04-25T11:00:00Z","windowEnd":"2026-04-25T12:00:00Z","detail":{"a":"1","note":"n","z":""}}}`

// changes are what is replaced in whole, and by what.
var changes = [][2]string{
	{`"metadata":{"name":"ae-1"`, `"metadata":{"name":""`},
	{`"namespace":"team-a"`, `"namespace":null`},
	{`"labels":{"app":"x","paddock.dev/component":"broker",`, `"labels":{"b.paddock.dev/x":"1","paddock.dev":"2","paddock.dev/":"3","PADDOCK.dev/a":"4","paddock.dev/é":"5",`},
	{`"paddock.dev/omitted":"2 labels"`, `"paddock.dev/omitted2":""`},
	{`12:00:00.123456789Z"}`, `12:00:00.120Z"}`},
	{`12:00:00.123456789Z"}`, `12:00:00.12Z"}`},
	{`12:00:00.123456789Z"}`, `12:00:00,12Z"}`},
	{`12:00:00.123456789Z"}`, `12:00:00.0000000001Z"}`},
	{`12:00:00.123456789Z"}`, `12:00:01.123456789Z"}`},
	{`12:00:00.123456789Z"}`, `14:00:00.5+02:00"}`},
	{`12:00:00.123456789Z"}`, `12:00:00Z"}`},
	{`2026-04-25T12:00:00.123456789Z"}`, `garbage"}`},
	{`,"paddock.dev/timestamp":"2026-04-25T12:00:00.123456789Z"`, ``},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"2026-04-25T12:00:00.9Z"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"2026-04-25T14:30:00+02:30"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"2026-04-25T00:00:00-12:00"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":null`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"0001-01-01T00:00:00Z"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"9999-12-31T23:59:59Z"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"1969-12-31T23:59:59.75Z"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"1900-03-01T00:00:00Z"`},
	{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"2000-02-29T00:00:00Z"`},
	{`"windowStart":"2026-04-25T11:00:00Z"`, `"windowStart":"1970-01-01T00:00:00Z"`},
	{`"windowStart":"2026-04-25T11:00:00Z"`, `"windowStart":"1969-12-31T23:59:59.5Z"`},
	{`"windowStart":"2026-04-25T11:00:00Z"`, `"windowStart":"0001-01-01T00:00:00Z"`},
	{`"windowStart":"2026-04-25T11:00:00Z"`, `"windowStart":"0001-01-01T00:00:01Z"`},
	{`"windowEnd":"2026-04-25T12:00:00Z"`, `"windowEnd":null`},
	{`"runRef":{"name":"hr-1"}`, `"runRef":{}`},
	{`"runRef":{"name":"hr-1"}`, `"runRef":null`},
	{`"groups":["a","","b"]`, `"groups":[]`},
	{`"groups":["a","","b"]`, `"groups":[null,"ab"]`},
	{`{"user":"u","groups":["a","","b"],"serviceAccount":"ns/sa","sourceAddress":"10.0.0.1","userAgent":"curl"}`, `{}`},
	{`"trace":{"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331"}`, `"trace":{}`},
	{`"destination":{"host":"example.com","port":443}`, `"destination":{"port":0,"host":""}`},
	{`"sampleDestinations":[{"host":"a"},{},{"port":65535}]`, `"sampleDestinations":[]`},
	{`"sampleDestinations":[{"host":"a"},{},{"port":65535}]`, `"sampleDestinations":[null,{"host":"\u0000"}]`},
	{`"count":3`, `"count":0`},
	{`"count":3`, `"count":-1`},
	{`"count":3`, `"count":2147483647`},
	{`"count":3`, `"count":null`},
	{`"reason":"why"`, `"reason":"\ud83d\ude00 \u00e9 \ufffd \ud800 \udc00x \u2028"`},
	{`"reason":"why"`, `"reason":"e\u0301"`},
	{`"reason":"why"`, `"reason":"\u007f \u0080 \u07ff \u0800 \ud7ff \ue000 \uffff \ud800\udc00 \udbff\udfff"`},
	{`"reason":"why"`, `"reason":"` + strings.Repeat("x", 127) + `"`},
	{`"reason":"why"`, `"reason":"` + strings.Repeat("x", 128) + `"`},
	{`"detail":{"a":"1","note":"n","z":""}`, `"detail":{}`},
	{`"detail":{"a":"1","note":"n","z":""}`, `"detail":{"note":"n"}`},
	{`"detail":{"a":"1","note":"n","z":""}`, `"detail":{"":"empty","\uffff":"1","\ud83d\ude00":"2","é":null}`},
	{`"detail":{"a":"1","note":"n","z":""}`, `"detail":{"a":"` + strings.Repeat("世", 6000) + `"}`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-opened","timestamp"`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-checkpoint","timestamp"`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-closed","timestamp"`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-recovered","timestamp"`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-reaped","timestamp"`},
	{`"kind":"egress-block","timestamp"`, `"kind":"trail-other","timestamp"`},
}

// cases returns whole, each of its changes, and n events as Write prepares them.
func cases(t *testing.T, seed uint64, n int) []vector {
	t.Helper()
	all := []vector{{About: "all fields", Event: json.RawMessage(whole)}, {About: "nothing", Event: json.RawMessage(`{}`)}}
	for _, c := range changes {
		if !strings.Contains(whole, c[0]) {
			t.Fatalf("%s is not in the event", c[0])
		}
		about := fmt.Sprintf("%.60s in place of %.60s", c[1], c[0])
		all = append(all, vector{About: about, Event: json.RawMessage(strings.Replace(whole, c[0], c[1], 1))})
	}
	g := newGenerator(seed, time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC), "team-a")
	for i := range n {
		ae := g.event()
		ae.Name = fmt.Sprintf("ae-%06d", i)
		e, err := driver.Prepare(ae, "broker")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, vector{About: "as written", Event: e.JSON(), Form: hex.EncodeToString(canonical.AppendObject(nil, e.Object()))})
	}
	for i := range all {
		if all[i].Form == "" {
			all[i].Form = formOf(t, all[i].Event)
		}
	}
	return all
}

func formOf(t *testing.T, event []byte) string {
	t.Helper()
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal(event, ae); err != nil {
		t.Fatalf("%v: %s", err, event)
	}
	return hex.EncodeToString(canonical.AppendObject(nil, ae))
}

func TestVectorsHaveTheFormsOfTheirEvents(t *testing.T) {
	if *update {
		writeVectors(t, vectorsFile, cases(t, 1, 150))
	}
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 200 {
		t.Errorf("%d vectors, want 200", len(vectors))
	}
	for _, v := range vectors {
		if got := formOf(t, v.Event); got != v.Form {
			t.Errorf("%s: the form is\n%s, want\n%s", v.About, got, v.Form)
		}
	}
}

func writeVectors(t *testing.T, path string, vectors []vector) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("[\n")
	for i := range vectors {
		line, err := json.Marshal(vectors[i])
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		if i < len(vectors)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // it is committed
		t.Fatal(err)
	}
}

// The implementation in JavaScript was written from docs/canonical.md. Beside the vectors it gets
// events that are others each time. Only Node hands it half a surrogate pair: the JSON.parse of the
// interpreter here makes U+FFFD of it before the script can.
func TestJavaScriptFindsTheSameForms(t *testing.T) {
	seed := rand.Uint64()
	fresh := filepath.Join(t.TempDir(), "fresh.json")
	writeVectors(t, fresh, cases(t, seed, 300))
	for _, path := range []string{vectorsFile, fresh} {
		out, err := javaScript(t, path)
		if err != nil {
			t.Errorf("%s, seed %d: %v\n%.4000s", path, seed, err, out)
		}
		t.Logf("%s", out)
	}
}

// An implementation that differs is found, so that the test above can fail.
func TestJavaScriptTellsAnotherForm(t *testing.T) {
	other := cases(t, 2, 3)
	other[1].Form = strings.Replace(other[1].Form, "13", "14", 1)
	path := filepath.Join(t.TempDir(), "other.json")
	writeVectors(t, path, other)
	out, err := javaScript(t, path)
	if err == nil || !strings.Contains(out, `"nothing": the form is`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// javaScript lets testdata/canonical.js compare the forms in a file, and returns what it printed.
func javaScript(t *testing.T, path string) (string, error) {
	t.Helper()
	script, scriptErr := filepath.Abs("testdata/canonical.js")
	path, pathErr := filepath.Abs(path)
	if err := errors.Join(scriptErr, pathErr); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first run compiles the interpreter
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "-C", "../../tools/js", "run", ".", script, path)
	cmd.WaitDelay = 10 * time.Second // the program that go run has started may outlive it
	out, err := cmd.CombinedOutput()
	return string(out), err
}
