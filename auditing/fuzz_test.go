package auditing

import (
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
)

// Whatever a caller puts into a builder, what a sink hands to its transport is
// stored by the API server, and says what was decided.
func FuzzBuilders(f *testing.F) {
	for i := range len(builders) {
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
	for i := range len(builders) {
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
	names := slices.Sorted(maps.Keys(builders))
	name := names[int(which)%len(names)]
	in, ae := builders[name].filled(func(in any) { fillInput(in, data) })
	var sent *v1alpha1.AuditEvent
	before := fmt.Sprintf("%#v", ae.Spec)
	err := Deliver(t.Context(), Target{Sink: "capture", Component: "fuzz", Namespaced: true}, ae,
		func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			sent = ae.DeepCopy()
			return nil
		})
	if bad := refusable(ae); (err != nil) != (bad != "") {
		t.Fatalf("%s(%#v): error %v, but what may be refused in it is %q", name, in, err, bad)
	}
	if err != nil {
		return
	}
	if after := fmt.Sprintf("%#v", ae.Spec); after != before {
		t.Fatalf("%s(%#v): Deliver changed spec\nfrom %s\nto   %s", name, in, before, after)
	}
	back, errs := stored(t, sent)
	if len(errs) > 0 {
		t.Fatalf("%s(%#v): the API server refuses what was sent: %v", name, in, errs.ToAggregate())
	}
	for _, lost := range lostOf(in, ae, back) {
		t.Errorf("%s(%#v)\nlost %s\nin   %s", name, in, lost, indented(t, back))
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
	want(EventTime(back).Equal(built.Spec.Timestamp.Time), "time %v", built.Spec.Timestamp)
	want(reflect.DeepEqual(back.OwnerReferences, built.OwnerReferences), "owner")
	want(back.Labels[v1alpha1.LabelComponent] == "fuzz", "component label")
	if run := built.Spec.RunRef; run != nil {
		want(back.Spec.RunRef != nil && back.Spec.RunRef.Name == Shorten(run.Name, v1alpha1.MaxNameLength), "run %q", run.Name)
		want(back.Labels[v1alpha1.LabelRun] == RunLabel(run.Name), "run label")
	}
	size, _ := json.Marshal(back)
	want(len(size) < 256<<10, "Loki's limit of a line: %d bytes", len(size))
	found := textsOf(back)
	for text := range found {
		want(utf8.ValidString(text), "UTF-8 of %q", text)
	}
	_, cut := back.Spec.Detail[detailOmitted]
	for _, text := range inputTexts(in) {
		want(cut || found[text] || found[Shorten(text, v1alpha1.MaxNameLength)] ||
			found[Shorten(text, v1alpha1.MaxDetailValueLength)], "text %q", text)
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
				texts = append(texts, quoteCommand(f))
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
	case !representable(t) && field != "ExpiresAt":
		return t.UTC().Format(time.RFC3339Nano)
	default:
		return t.UTC().Format(time.RFC3339)
	}
}
