package reading_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/reading"
)

// differences returns what Diff finds, as "finding source name".
func differences(t *testing.T, tolerance reading.Tolerance, sources ...reading.Source) (found []string, errs []error) {
	t.Helper()
	for d, err := range reading.Diff(t.Context(), &reading.Query{}, tolerance, sources...) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, fmt.Sprintf("%s %s %s", d.Finding, d.Source, d.Entry.Event().Name))
	}
	slices.Sort(found)
	return found, errs
}

// copies returns events that share nothing with those of all.
func copies(all []*v1alpha1.AuditEvent) []*v1alpha1.AuditEvent {
	c := make([]*v1alpha1.AuditEvent, len(all))
	for i, ae := range all {
		c[i] = ae.DeepCopy()
	}
	return c
}

func TestDiffNamesWhatEachPlaceLacksOrChanged(t *testing.T) {
	all := events(t, 100)
	a, b, c := copies(all), copies(all), copies(all)
	a[5].Spec.Reason = "edited"
	b[7].Labels[v1alpha1.LabelComponent] = "broker"
	b[8].Labels["team"] = "b" // is not ours
	c[9].Spec.Destination = nil
	moved := noon.Add(time.Hour)
	c[10].Spec.Timestamp.Time = moved.Truncate(time.Second)
	c[10].Annotations[v1alpha1.AnnotationTimestamp] = moved.Format(time.RFC3339Nano)
	late := c[10]
	c = append(slices.Delete(c, 10, 11), late) // in the order of time
	b = slices.Delete(b, 20, 30)
	got, errs := differences(t, reading.Tolerance{}, &memory{name: "a", events: a}, &memory{name: "b", events: b}, &memory{name: "c", events: c})
	want := []string{
		"differs b ae-00000005", "differs c ae-00000005", // a is the reference
		"differs b ae-00000007", "differs c ae-00000009", "differs c ae-00000010",
	}
	for i := 20; i < 30; i++ {
		want = append(want, fmt.Sprintf("missing b ae-%08d", i))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) || len(errs) > 0 {
		t.Errorf("found %q, want %q: %v", got, want, errs)
	}
}

func TestDiffTellsShorteningFromAnEdit(t *testing.T) {
	whole := event(t, 1)
	whole.Spec.Reason = strings.Repeat("why ", 200)
	whole.Spec.Detail = map[string]string{"a": strings.Repeat("x", 3000), "b": "short"}
	whole.Labels["paddock.dev/zone"] = "eu"
	omit := func(ae *v1alpha1.AuditEvent, label string) {
		delete(ae.Labels, label)
		ae.Annotations["paddock.dev/omitted"] = "1 labels, annotations, owners and finalizers left out: the line would be too long"
	}
	short := func(change func(*v1alpha1.AuditEvent)) *memory {
		ae := whole.DeepCopy()
		ae.Spec.Reason = driver.Shorten(whole.Spec.Reason, 128)
		change(ae)
		return &memory{name: "loki", events: []*v1alpha1.AuditEvent{ae}}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.AuditEvent)
		want   string
	}{
		"a text": {func(*v1alpha1.AuditEvent) {}, "shortened"},
		"detail": {func(ae *v1alpha1.AuditEvent) {
			ae.Spec.Detail["a"] = driver.Shorten(ae.Spec.Detail["a"], 64)
		}, "shortened"},
		"all of detail": {func(ae *v1alpha1.AuditEvent) {
			ae.Spec.Detail = map[string]string{"audit.omitted": "all 2 entries left out: the line would be too long"}
		}, "shortened"},
		"a label that was left out":      {func(ae *v1alpha1.AuditEvent) { omit(ae, "paddock.dev/zone") }, "shortened"},
		"a label that is never left out": {func(ae *v1alpha1.AuditEvent) { omit(ae, v1alpha1.LabelKind) }, "differs"},
		"a label that is gone":           {func(ae *v1alpha1.AuditEvent) { delete(ae.Labels, "paddock.dev/zone") }, "differs"},
		"an edit beside":                 {func(ae *v1alpha1.AuditEvent) { ae.Spec.Detail["b"] = "edited" }, "differs"},
		"an edit within": {func(ae *v1alpha1.AuditEvent) {
			ae.Spec.Reason = strings.Replace(ae.Spec.Reason, "why", "who", 1)
		}, "differs"},
		"another number left out": {func(ae *v1alpha1.AuditEvent) {
			ae.Spec.Detail = map[string]string{"audit.omitted": "all 3 entries left out: the line would be too long"}
		}, "differs"},
	} {
		cluster := &memory{name: "cluster", events: []*v1alpha1.AuditEvent{whole}}
		for _, sources := range [][]reading.Source{{cluster, short(c.change)}, {short(c.change), cluster}} {
			got, errs := differences(t, reading.Tolerance{}, sources...)
			if len(got) != 1 || !strings.HasPrefix(got[0], c.want) || len(errs) > 0 {
				t.Errorf("%s: found %q, want %s: %v", name, got, c.want, errs)
			}
			if c.want == "shortened" && !strings.HasPrefix(got[0], "shortened loki") {
				t.Errorf("%s: found %q: the whole event is the reference", name, got)
			}
		}
	}
}

func TestYoungEventsArePending(t *testing.T) {
	all := events(t, 2)
	old := all[0].DeepCopy()
	old.Name = "old"
	hourAgo := noon.Add(-time.Hour)
	old.Spec.Timestamp.Time = hourAgo.Truncate(time.Second)
	old.Annotations[v1alpha1.AnnotationTimestamp] = hourAgo.Format(time.RFC3339Nano)
	a := &memory{name: "a", events: append([]*v1alpha1.AuditEvent{old}, all...)}
	got, _ := differences(t, reading.Tolerance{Pending: time.Minute, Now: noon.Add(time.Second)}, a, &memory{name: "b"})
	if want := []string{"missing b old", "pending b ae-00000000", "pending b ae-00000001"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// What a source that failed would have had is unknown.
func TestDiffAccusesNoSourceThatFailed(t *testing.T) {
	all := events(t, 20)
	a := &memory{name: "a", events: all}
	b := &memory{name: "b", events: slices.Delete(copies(all[:10]), 3, 4), err: io.ErrUnexpectedEOF}
	got, errs := differences(t, reading.Tolerance{}, a, b)
	if len(errs) != 1 {
		t.Errorf("errors %v", errs)
	}
	if want := []string{"missing b ae-00000003"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// More events are missing than Diff holds back to find them under another time.
func TestDiffOfAnEmptyPlaceNamesEveryEvent(t *testing.T) {
	all := events(t, 12_000)
	got, _ := differences(t, reading.Tolerance{}, &memory{name: "a", events: all}, &memory{name: "b"})
	if len(got) != len(all) {
		t.Errorf("%d are missing, want %d", len(got), len(all))
	}
}
