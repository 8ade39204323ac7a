package reading_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/reading"
)

// queries are of all kinds, with texts that stand at every place of an event.
func queries(t testing.TB) []reading.Query {
	t.Helper()
	all := []reading.Query{
		{},
		{Since: noon.Add(30)},
		{Until: noon.Add(30)},
		{Since: noon.Add(time.Second)},
		{Until: noon},
		{Until: noon.Add(time.Hour)},
		{Since: noon.Add(-time.Hour), Until: noon.Add(10 * time.Second)},
		{Namespaces: []string{"team-a"}},
		{Namespaces: []string{"", "x"}},
		{Components: []string{"proxy", "b"}},
		{Components: []string{"b"}},
		{Kinds: []v1alpha1.AuditKind{"egress-block"}},
		{Kinds: []v1alpha1.AuditKind{"AuditEvent"}},
		{Decisions: []v1alpha1.AuditDecision{"denied"}},
		{Decisions: []v1alpha1.AuditDecision{"granted", "warned"}},
		{Runs: []string{"run-1"}},
		{Runs: []string{`a "b" <c>`}},
		{Names: []string{"ae-00000003"}},
		{Where: where(t, `event.spec.destination.port == 22`)},
	}
	for _, text := range []string{
		"number 1", `"port":22`, "22", "api.example.com", "AuditEvent", `{"kind":"AuditEvent"`, `v1alpha1","metadata":{"name"`, `"metadata":{"name"`, "level", "null", ":",
		"2026-04-25T12:00:0", `"timestamp":"2026`, `say \"no\"`, `"no"`, "café", "\u00e9", `\u202e`, `\u0007`, "a/b", `\ufffd`, "\ufffd", "<b>", `\t`, `","apiVersion":"`, "decision",
	} {
		all = append(all, reading.Query{Grep: text})
	}
	return all
}

// varied returns events with texts that are escaped in several ways.
func varied(t testing.TB) []*v1alpha1.AuditEvent {
	t.Helper()
	all := events(t, 60)
	for i, reason := range []string{
		`say "no"`, `a\b`, "tab\tbell\a", "café", "\u202eturned", "a/b", "\ufffd", "<b>&", "line\u2028end", `{"decision":"granted"}`, `\u00e9`, "\u007f",
	} {
		all[i].Spec.Reason = reason
		all[i+20].Spec.RunRef = &v1alpha1.LocalReference{Name: `a "b" <c>`}
		all[i+20].Spec.Detail = map[string]string{"decision": reason, "timestamp": "2020-01-01T00:00:00Z", "spec": "x"}
		all[i+40].Spec.Decision = "granted"
		all[i+40].Annotations["timestamp"] = "2020-01-01T00:00:00Z"
	}
	for i, ae := range all {
		e, err := driver.Prepare(ae, "proxy")
		if err != nil {
			t.Fatal(err)
		}
		all[i] = e.Object()
	}
	return all
}

// What the filter of raw lines rejects is never anything that the query takes, whoever wrote
// the line.
func TestFilesTakesExactlyWhatTheQueryTakes(t *testing.T) {
	all := varied(t)
	var stranger bytes.Buffer // writes what others may write, which means the same
	for _, ae := range all {
		ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
		text, err := json.Marshal(ae)
		if err != nil {
			t.Fatal(err)
		}
		stranger.Write(append(text, '\n'))
	}
	escaped := bytes.NewBuffer(nil)
	for line := range bytes.Lines(logged(t, all...)) { // the keys of the log, other escapes
		line = bytes.ReplaceAll(line, []byte("number"), []byte(`n\u0075mber`))
		line = bytes.ReplaceAll(line, []byte("é"), []byte(`\u00e9`))
		escaped.Write(bytes.ReplaceAll(line, []byte("a/b"), []byte(`a\/b`)))
	}
	for name, lines := range map[string][]byte{
		"log": logged(t, all...), "export": exported(all...), "encoding/json": stranger.Bytes(), "other escapes": escaped.Bytes(),
		"spaces": regexp.MustCompile(`([^\\])":`).ReplaceAll(stranger.Bytes(), []byte(`$1" : `)),
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		write(t, path, lines)
		for _, q := range queries(t) {
			var want []*v1alpha1.AuditEvent
			for _, ae := range all {
				if takes, err := q.Takes(reading.NewRecord(ae, "", "")); err != nil {
					t.Fatal(err)
				} else if takes {
					want = append(want, ae)
				}
			}
			got := read(t, reading.Files("files", path), &q)
			if t.Run(fmt.Sprintf("%s/%+v", name, q), func(t *testing.T) { got.want(t, want) }); t.Failed() {
				return
			}
		}
	}
}
