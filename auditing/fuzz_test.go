package auditing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/names"
)

// Whatever a caller puts into a builder, what a driver gets is stored by the API
// server, and says what was decided.
func FuzzBuilders(f *testing.F) {
	for i := range len(auditing.BuilderNames()) {
		f.Add(byte(i), []byte{1, byte(i)})
	}
	f.Fuzz(checkBuilder)
}

func TestRandomInputsOfEveryBuilderAreStoredWithNothingLost(t *testing.T) {
	rounds := 160 // of every builder: 4,000 in all
	if testing.Short() {
		rounds = 20
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range len(auditing.BuilderNames()) {
		for range rounds {
			data := make([]byte, 16+random.IntN(600))
			for j := range data {
				data[j] = byte(random.Uint32())
			}
			checkBuilder(t, byte(i), data)
			if t.Failed() {
				t.Fatalf("builder %d, data %q", i, data)
			}
		}
	}
}

func checkBuilder(t *testing.T, which byte, data []byte) {
	all := auditing.BuilderNames()
	name := all[int(which)%len(all)]
	in, ae := auditing.Build(name, func(in any) { auditing.FillInput(in, data) })
	before := fmt.Sprintf("%#v", ae.Spec)
	var e *driver.Event
	err := driver.Write(t.Context(), capture{into: &e}, ae)
	if bad := refusable(ae); (err != nil) != (bad != "") {
		t.Fatalf("%s(%#v): error %v, but what may be refused in it is %q", name, in, err, bad)
	}
	if err != nil {
		return
	}
	if after := fmt.Sprintf("%#v", ae.Spec); after != before {
		t.Fatalf("%s(%#v): Write changed spec\nfrom %s\nto   %s", name, in, before, after)
	}
	sent := e.Object()
	decodes(t, e)
	back, errs := auditing.Stored(t, sent)
	if len(errs) > 0 {
		t.Fatalf("%s(%#v): the API server refuses what was sent: %v", name, in, errs.ToAggregate())
	}
	for _, lost := range lostOf(in, ae, back) {
		t.Errorf("%s(%#v)\nlost %s\nin   %s", name, in, lost, auditing.Indented(t, back))
	}
}

// capture keeps the event that it is given, of a sink of namespaced objects.
type capture struct {
	driver.Base
	into **driver.Event
}

func (capture) Info() driver.Info {
	return driver.Info{Name: "capture", Component: "fuzz", Namespaced: true}
}

func (c capture) Store(_ context.Context, events []*driver.Event) []error {
	*c.into = events[0]
	return nil
}

// decodes holds that an event is the same after it was JSON.
func decodes(t *testing.T, e *driver.Event) {
	t.Helper()
	back, err := driver.Decode(e.JSON())
	if err != nil {
		t.Fatalf("decoding %s: %v", e.JSON(), err)
	}
	if !bytes.Equal(back.JSON(), e.JSON()) || !back.Time().Equal(e.Time()) || !e.Same(back.Object()) {
		t.Fatalf("%s comes back from JSON as %s", e.JSON(), back.JSON())
	}
}

// refusable says what of an event is wrong beyond what a sink may mend.
func refusable(ae *v1alpha1.AuditEvent) string {
	switch {
	case len(validation.IsDNS1123Label(ae.Namespace)) > 0:
		return "namespace"
	case len(validation.IsDNS1123Label(string(ae.Spec.Kind))) > 0:
		return "kind"
	case !ae.Spec.Decision.Known():
		return "decision"
	case len(ae.OwnerReferences) > 0 && ae.OwnerReferences[0].UID == "":
		return "owner"
	}
	return ""
}

// lostOf lists what of the input, and of the event built from it, is not in the
// event as stored.
func lostOf(in any, built, back *v1alpha1.AuditEvent) (lost []string) {
	want := func(ok bool, format string, args ...any) {
		if !ok {
			lost = append(lost, fmt.Sprintf(format, args...))
		}
	}
	want(back.Spec.Decision == built.Spec.Decision, "decision %q", built.Spec.Decision)
	want(back.Spec.Kind == built.Spec.Kind, "kind %q", built.Spec.Kind)
	want(back.Namespace == built.Namespace, "namespace %q", built.Namespace)
	want(back.Spec.Count == built.Spec.Count, "count %d", built.Spec.Count)
	want(auditing.EventTime(back).Equal(built.Spec.Timestamp.Time), "time %v", built.Spec.Timestamp)
	want(reflect.DeepEqual(back.OwnerReferences, built.OwnerReferences), "owner")
	want(back.Labels[v1alpha1.LabelComponent] == "fuzz", "component label")
	if run := built.Spec.RunRef; run != nil {
		want(back.Spec.RunRef != nil && back.Spec.RunRef.Name == driver.Shorten(run.Name, v1alpha1.MaxNameLength), "run %q", run.Name)
		want(back.Labels[v1alpha1.LabelRun] == auditing.RunLabel(run.Name), "run label")
	}
	size, _ := json.Marshal(back)
	want(len(size) < 256<<10, "Loki's limit of a line: %d bytes", len(size))
	found := textsOf(back)
	for text := range found {
		want(utf8.ValidString(text), "UTF-8 of %q", text)
	}
	_, cut := back.Spec.Detail["audit.omitted"]
	for _, text := range inputTexts(in) {
		want(cut || found[text] || found[driver.Shorten(text, v1alpha1.MaxNameLength)] ||
			found[driver.Shorten(text, v1alpha1.MaxDetailValueLength)], "text %q", text)
	}
	return lost
}

// textsOf returns every text and number in spec as text.
func textsOf(ae *v1alpha1.AuditEvent) map[string]bool {
	found := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			found[v] = true
		case json.Number:
			found[v.String()] = true
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	data, _ := json.Marshal(ae.Spec)
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var spec any
	_ = dec.Decode(&spec)
	walk(spec)
	found[ae.Namespace] = true
	return found
}

// inputTexts returns, as the texts that an event must hold, what stands in the
// fields of an input.
func inputTexts(in any) (texts []string) {
	v := reflect.ValueOf(in)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i).Interface().(type) {
		case string:
			texts = append(texts, f)
		case []string:
			if name == "Command" {
				texts = append(texts, auditing.QuoteCommand(f))
			} else {
				texts = append(texts, strings.Join(f, ","))
			}
		case int, int32, int64:
			if n := fmt.Sprint(f); n != "0" || name != "Count" && name != "Port" {
				texts = append(texts, n)
			}
		case map[string]string:
			texts = slices.AppendSeq(texts, maps.Values(f))
		case []v1alpha1.AuditDestination:
			texts = append(texts, destinationTexts(f)...)
		case time.Time:
			texts = append(texts, timeText(name, f))
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func destinationTexts(all []v1alpha1.AuditDestination) (texts []string) {
	if extra := len(all) - v1alpha1.MaxSampleDestinations; extra > 0 {
		all = all[:v1alpha1.MaxSampleDestinations]
		texts = append(texts, strconv.Itoa(extra))
	}
	for _, d := range all {
		texts = append(texts, d.Host)
		if d.Port != 0 {
			texts = append(texts, strconv.Itoa(int(d.Port)))
		}
	}
	return texts
}

func timeText(field string, t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case !names.Representable(t) && field != "ExpiresAt":
		return t.UTC().Format(time.RFC3339Nano)
	default:
		return t.UTC().Format(time.RFC3339)
	}
}

func TestTheServerTakesWhatWasCut(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "hostile", Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a",
		Reason: long(2000), RunName: long(1025), MatchedPolicy: long(1025), Host: "\xff", Port: 443,
		CredentialName: long(1025), Provider: long(1 << 20), Purpose: long(1025),
		SampleDestinations: []v1alpha1.AuditDestination{{Host: long(2000)}, {Port: 70000}, {Port: -1}, {}, {}},
		Detail:             map[string]string{"long": long(5000), long(200): "key", "bad": "a\xffb"},
	})
	e, err := driver.Prepare(ae, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, errs := auditing.Stored(t, e.Object()); len(errs) > 0 {
		t.Errorf("the API server refuses what Prepare made: %v", errs)
	}
}
