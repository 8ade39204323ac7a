package auditing

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func identified(t *testing.T, ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	t.Helper()
	if err := identify(ae, ""); err != nil {
		t.Fatal(err)
	}
	return ae
}

func TestANameIsGenerateNameAndALowerCaseULIDOfTheEventsOwnTime(t *testing.T) {
	for _, c := range []struct{ when, want time.Time }{
		{noon, noon},
		{time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
	} {
		ae := identified(t, NewRunFailed(RunDecisionInput{When: c.when}))
		id, ok := strings.CutPrefix(ae.Name, "ae-run-")
		if !ok || id != strings.ToLower(id) || len(validation.IsDNS1123Subdomain(ae.Name)) > 0 {
			t.Errorf("name %q", ae.Name)
		}
		parsed, err := ulid.ParseStrict(id)
		if err != nil || parsed.Time() != uint64(c.want.UnixMilli()) {
			t.Errorf("%v: ULID %q of %v, want %v (%v)", c.when, id, parsed.Timestamp(), c.want, err)
		}
		if !NamedByLibrary(ae) {
			t.Errorf("%q is not known as a name of this package's", ae.Name)
		}
	}
}

func TestANameThatTheCallerGaveStays(t *testing.T) {
	ae := NewRunFailed(RunDecisionInput{When: noon})
	ae.Name = "mine"
	if identified(t, ae); ae.Name != "mine" || NamedByLibrary(ae) {
		t.Errorf("name %q, by this package: %v", ae.Name, NamedByLibrary(ae))
	}
	bare := identified(t, &v1alpha1.AuditEvent{})
	if !strings.HasPrefix(bare.Name, "ae-") {
		t.Errorf("an event without generateName is named %q", bare.Name)
	}
}

func TestNamesOfOneTimeSortInTheOrderInWhichTheyWereGiven(t *testing.T) {
	var last string
	for range 10_000 {
		name := identified(t, NewRunFailed(RunDecisionInput{When: noon})).Name
		if name <= last {
			t.Fatalf("%s does not sort after %s", name, last)
		}
		last = name
	}
}

func TestConcurrentWritersGetDistinctNamesEachInItsOwnOrder(t *testing.T) {
	const writers, each = 16, 500
	names := make([][]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				names[w] = append(names[w], identified(t, NewRunFailed(RunDecisionInput{When: noon})).Name)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, own := range names {
		if !slices.IsSorted(own) {
			t.Error("one writer's names are out of order")
		}
		for _, name := range own {
			seen[name] = true
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d distinct names of %d", len(seen), writers*each)
	}
}

func TestTheSequenceCarriesIntoItsUpperHalf(t *testing.T) {
	s := sequence{started: true, hi: 7, lo: 1<<64 - 1}
	var p [10]byte
	s.next(&p)
	if s.hi != 8 || p[0] != 0 || p[1] != 8 {
		t.Errorf("after an overflow: hi %d, bytes %v", s.hi, p)
	}
}

func TestIdentityIsStableAcrossCallsAndThroughJSON(t *testing.T) {
	for _, when := range []time.Time{noon, noon.Truncate(time.Second), time.Date(1960, 1, 1, 0, 0, 0, 42, time.UTC)} {
		ae := identified(t, NewRunFailed(RunDecisionInput{RunName: run, Namespace: ns, When: when}))
		first := indented(t, ae)
		if again := indented(t, identified(t, ae)); again != first {
			t.Errorf("identified again: %s, was %s", again, first)
		}
		back := &v1alpha1.AuditEvent{}
		if err := json.Unmarshal([]byte(first), back); err != nil {
			t.Fatal(err)
		}
		if got := EventTime(back); !got.Equal(when) {
			t.Errorf("through JSON the time is %v, want %v", got, when)
		}
		if again := indented(t, identified(t, back)); again != first {
			t.Errorf("identified after JSON: %s, was %s", again, first)
		}
		if !NamedByLibrary(back) {
			t.Errorf("after JSON %q is not known as a name of this package's", back.Name)
		}
	}
}

func TestAnAnnotationOfAnotherTimeIsNotBelieved(t *testing.T) {
	for _, text := range []string{"", "garbage", noon.Add(time.Second).Format(time.RFC3339Nano)} {
		ae := NewRunFailed(RunDecisionInput{When: noon.Truncate(time.Second)})
		ae.Annotations = map[string]string{v1alpha1.AnnotationTimestamp: text}
		if got := EventTime(ae); !got.Equal(noon.Truncate(time.Second)) {
			t.Errorf("annotation %q: time %v", text, got)
		}
	}
}

func TestLabelsRepeatSpecWhateverStoodThere(t *testing.T) {
	ae := NewRunFailed(RunDecisionInput{When: noon})
	ae.Labels = map[string]string{
		v1alpha1.LabelRun: "forged", v1alpha1.LabelDecision: "granted", v1alpha1.LabelComponent: "forged", "team": "a",
	}
	if err := identify(ae, "controller"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		v1alpha1.LabelDecision: "denied", v1alpha1.LabelKind: "run-failed", v1alpha1.LabelComponent: "controller", "team": "a",
	}
	if indented(t, ae.Labels) != indented(t, want) {
		t.Errorf("labels %v, want %v", ae.Labels, want)
	}
}

func TestRunLabelIsALabelValueThatTellsRunsApart(t *testing.T) {
	for _, own := range []string{"hr-1", "Run_1.a", text(63)} {
		if got := RunLabel(own); got != own {
			t.Errorf("RunLabel(%q) = %q, want the name itself", own, got)
		}
	}
	seen := map[string]string{}
	for _, odd := range []string{
		text(64), text(65), text(63) + "y", "-", "_", "a-", "hr 1", "hr/1", "hr\x001", "ä", strings.Repeat("ä", 100), "\xff", strings.Repeat("-", 80),
	} {
		got := RunLabel(odd)
		if len(validation.IsValidLabelValue(got)) > 0 || got == "" {
			t.Errorf("RunLabel(%q) = %q is no label value", odd, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the same label %q", odd, other, got)
		}
		seen[got] = odd
	}
	if got := RunLabel("hr 1/" + text(80)); !strings.HasPrefix(got, "hr-1-xxxx") || len(got) != 63 {
		t.Errorf("the label %q is not readable", got)
	}
}

func TestALabelValueIsWhatTheAPIServerTakesForOne(t *testing.T) {
	const letters = "aZ09-_. /é\x00"
	values := []string{"", strings.Repeat("a", 63), strings.Repeat("a", 64)}
	for _, a := range letters {
		values = append(values, string(a))
		for _, b := range letters {
			values = append(values, string(a)+string(b))
			for _, c := range letters {
				values = append(values, string(a)+string(b)+string(c))
			}
		}
	}
	for _, v := range values {
		if got, want := isLabelValue(v), len(validation.IsValidLabelValue(v)) == 0; got != want {
			t.Errorf("isLabelValue(%q) is %t, the API server says %t", v, got, want)
		}
	}
}
