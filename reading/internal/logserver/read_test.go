package logserver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestEveryPageSizeReadsEachEventOnce(t *testing.T) {
	everywhere(t, loki.Options{}, func(t *testing.T, p place) {
		at := time.Now().Add(-30 * time.Minute)
		all := events(3000, at) // in one nanosecond
		for i := range 200 {
			all = append(all, events(i%3+1, at.Add(time.Duration(i-100)*time.Microsecond))...)
		}
		write(t, p.sink, all...)
		write(t, p.sink, all[:500]...) // VictoriaLogs stores them twice
		p.settle(t)
		want := sorted(all)
		for _, size := range []int{0, 7, 1000, 5000} {
			same(t, fmt.Sprintf("pages of %d", size), read(t, p.source(size, time.Minute), &reading.Query{}), want)
		}
		same(t, "since that time", read(t, p.source(7, time.Minute), &reading.Query{Since: at, Until: at.Add(1)}), sorted(slices.DeleteFunc(all, func(ae *v1alpha1.AuditEvent) bool {
			return !reading.NewRecord(ae, "", "").Time.Equal(at)
		})))
	})
}

func TestMoreInANanosecondThanAPageHoldsAreRead(t *testing.T) {
	p := onLoki(t, sharedLoki(t), loki.Options{})
	all := events(11_000, time.Now().Add(-time.Minute))
	write(t, p.sink, all...)
	same(t, "pages of 5000", read(t, p.source(0, time.Minute), &reading.Query{}), sorted(all))
}

func TestLateEventsAreFoundWhereTheyBelong(t *testing.T) {
	const day = 24 * time.Hour
	everywhere(t, loki.Options{}, func(t *testing.T, p place) {
		now := time.Now()
		write(t, p.sink, events(1, now)...) // from which Loki judges how late the others are
		groups := map[string][]*v1alpha1.AuditEvent{
			"2 hours old": events(20, now.Add(-2*time.Hour)), "8 days old": events(20, now.Add(-8*day)),
			"an hour ahead": events(20, now.Add(time.Hour)), "30 hours ahead": events(20, now.Add(30*time.Hour)),
		}
		var all []*v1alpha1.AuditEvent
		for _, group := range groups {
			write(t, p.sink, group...)
			all = append(all, group...)
		}
		p.settle(t)
		for name, group := range groups {
			at := reading.NewRecord(group[0], "", "").Time
			for _, size := range []int{7, 0} {
				same(t, name, read(t, p.source(size, time.Minute), &reading.Query{Since: at.Add(-time.Minute), Until: at.Add(time.Minute)}), sorted(group))
			}
			same(t, name+", to a nanosecond", read(t, p.source(0, time.Minute), &reading.Query{Since: at, Until: at.Add(1)}), sorted(group))
			if got := read(t, p.source(0, time.Minute), &reading.Query{Since: at.Add(1), Until: at.Add(time.Minute)}); len(got) > 0 {
				t.Errorf("%s: %d events after their time", name, len(got))
			}
		}
		if got := read(t, p.source(7, time.Minute), &reading.Query{}); len(got) != len(all)+1 || !slices.IsSorted(times(t, p, &reading.Query{})) {
			t.Errorf("%d events, want %d in order", len(got), len(all)+1)
		}
	})
}

// times returns the times of the records in the order in which they come.
func times(t *testing.T, p place, q *reading.Query) (all []int64) {
	for r, err := range p.source(0, time.Minute).Read(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Time.UnixNano())
	}
	return all
}

func TestEachConditionIsHeldAgainstEachEvent(t *testing.T) {
	everywhere(t, loki.Options{}, func(t *testing.T, p place) {
		all := events(4, time.Now())
		for i, hostile := range []string{`a"run\ | or *`, "a\nrun\x00`", "Ünïcode (run)|.*", "a\xffrun"} {
			all[i].Spec.RunRef = &v1alpha1.LocalReference{Name: hostile}
			all[i].Name = fmt.Sprintf("ae.%d-x", i)
		}
		all[1].Spec.Kind, all[2].Namespace, all[3].Spec.Decision = "third", "team-b", v1alpha1.AuditDecisionWarned
		write(t, p.sink, all...)
		p.settle(t)
		for name, c := range map[string]struct {
			q    reading.Query
			want []*v1alpha1.AuditEvent
		}{
			"component":    {reading.Query{Components: []string{"proxy"}}, all},
			"no component": {reading.Query{Components: []string{""}}, nil},
			"kinds":        {reading.Query{Kinds: []v1alpha1.AuditKind{"third", "fourth"}}, all[1:2]},
			"namespaces":   {reading.Query{Namespaces: []string{"team-b", ""}}, all[2:3]},
			"a namespace":  {reading.Query{Namespaces: []string{"team-b"}}, all[2:3]},
			"decision":     {reading.Query{Decisions: []v1alpha1.AuditDecision{"warned"}}, all[3:]},
			"a name":       {reading.Query{Names: []string{all[2].Name}}, all[2:3]},
			"a pattern":    {reading.Query{Names: []string{"ae.*"}}, nil},
			"hostile":      {reading.Query{Names: []string{`"} or {service_name=~".+"} | line_format "`, "`*`", "a) or (*"}}, nil},
			"text":         {reading.Query{Grep: "number 1"}, all[1:2]},
			"runs":         {reading.Query{Runs: []string{all[0].Spec.RunRef.Name, all[1].Spec.RunRef.Name}}, all[:2]},
			"a run":        {reading.Query{Runs: []string{all[2].Spec.RunRef.Name}}, all[2:3]},
			"a mended run": {reading.Query{Runs: []string{all[3].Spec.RunRef.Name}}, all[3:]},
		} {
			same(t, name, read(t, p.source(2, time.Minute), &c.q), sorted(c.want))
		}
	})
}

// A shortened line is read back as the sink stored it.
func TestShortenedLinesAreFoundToBeShortened(t *testing.T) {
	everywhere(t, loki.Options{MaxLineBytes: 16 << 10}, func(t *testing.T, p place) {
		all := events(30, time.Now())
		whole := memory{}
		for i, ae := range all {
			ae.Annotations = map[string]string{"example.com/a": strings.Repeat("long ", 10_000)}
			ae.Spec.Detail = map[string]string{}
			for j := range 30 {
				ae.Spec.Detail[fmt.Sprintf("key-%d", j)] = strings.Repeat(fmt.Sprint(i, " ü<\u2028>"), 100)
			}
		}
		write(t, p.sink, all...)
		p.settle(t)
		whole.events = all
		found := 0
		for d, err := range reading.Diff(t.Context(), &reading.Query{}, reading.Tolerance{}, &whole, p.source(7, time.Minute)) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Finding != reading.Shortened || d.Source != p.name {
				t.Errorf("%s is %s in %s", d.Entry.Event().Name, d.Finding, d.Source)
			}
			found++
		}
		if found != len(all) {
			t.Errorf("%d findings, want %d", found, len(all))
		}
	})
}

// Loki's parts send each other no more than 4 MiB.
func TestLargeLinesAreReadInSmallerPages(t *testing.T) {
	for _, p := range []place{
		onLoki(t, testenv.NewLoki(t, testenv.LokiOptions{}), loki.Options{}), // it has no limit on pushes
		onVictoriaLogs(t, testenv.SharedVictoriaLogs(t), loki.Options{}),
	} {
		all := slices.Concat(events(30, time.Now().Add(-time.Second)), events(30, time.Now()))
		for _, ae := range all {
			ae.Annotations = map[string]string{"example.com/a": strings.Repeat("x", 200<<10)}
		}
		write(t, p.sink, all[:30]...)
		write(t, p.sink, all[30:]...)
		p.settle(t)
		same(t, p.name, read(t, p.source(0, time.Minute), &reading.Query{}), sorted(all))
	}
}

func TestForeignLinesAreCountedAndNotFatal(t *testing.T) {
	l := sharedLoki(t)
	p := onLoki(t, l, loki.Options{})
	all := events(3, time.Now())
	write(t, p.sink, all...)
	pushLine(t, l.URL, p.service, "no event")
	pushLine(t, l.URL, p.service, `{"kind":"AuditEvent","spec":{}}`)
	var names []string
	var foreign *reading.Foreign
	for r, err := range p.source(0, time.Minute).Read(t.Context(), &reading.Query{}) {
		if err != nil && !errors.As(err, &foreign) {
			t.Fatal(err)
		}
		if err == nil {
			names = append(names, r.Event.Name)
		}
	}
	same(t, "events", names, sorted(all))
	if foreign == nil || foreign.Count != 2 || foreign.Source != "loki" {
		t.Errorf("foreign lines: %v", foreign)
	}
}

func TestChangedCopyOfAnEventIsARecordOfItsOwn(t *testing.T) {
	p := onVictoriaLogs(t, testenv.SharedVictoriaLogs(t), loki.Options{})
	ae := events(1, time.Now())[0]
	write(t, p.sink, ae)
	changed := ae.DeepCopy()
	changed.Spec.Reason = "edited"
	write(t, p.sink, changed, ae)
	p.settle(t)
	var others int
	for e, err := range reading.Merge(t.Context(), &reading.Query{}, p.source(0, time.Minute)) {
		if err != nil {
			t.Fatal(err)
		}
		others += len(e.Others)
	}
	if others != 1 {
		t.Errorf("%d records with another content, want 1", others)
	}
}
