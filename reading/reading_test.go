package reading_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/reading"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)

// event returns event number i, a nanosecond after the one before, as it is stored.
func event(t testing.TB, i int) *v1alpha1.AuditEvent {
	t.Helper()
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "egress-block", Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a", RunName: "run-1",
		Host: "api.example.com", Port: 22, Reason: fmt.Sprintf("number %d", i), When: noon.Add(time.Duration(i)),
	})
	ae.Name = fmt.Sprintf("ae-%08d", i)
	e, err := driver.Prepare(ae, "proxy")
	if err != nil {
		t.Fatal(err)
	}
	return e.Object()
}

func events(t testing.TB, n int) []*v1alpha1.AuditEvent {
	all := make([]*v1alpha1.AuditEvent, n)
	for i := range all {
		all[i] = event(t, i)
	}
	return all
}

// memory is a source of events in memory.
type memory struct {
	name   string
	events []*v1alpha1.AuditEvent
	err    error // at the end
	other  error // at the start
}

func (m *memory) Name() string { return m.name }

func (m *memory) Read(_ context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		if m.other != nil && !yield(nil, m.other) {
			return
		}
		for i, ae := range m.events {
			r := reading.NewRecord(ae, m.name, fmt.Sprint(i))
			ok, err := q.Takes(r)
			if err != nil {
				yield(nil, err)
				return
			}
			if ok && !yield(r, nil) {
				return
			}
		}
		if m.err != nil {
			yield(nil, m.err)
		}
	}
}

func (m *memory) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return m.Read(ctx, q)
}

// merged returns the entries and the errors of a Merge.
func merged(t testing.TB, q *reading.Query, sources ...reading.Source) (entries []*reading.Entry, errs []error) {
	t.Helper()
	for e, err := range reading.Merge(t.Context(), q, sources...) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entries = append(entries, e)
	}
	return entries, errs
}

func TestSorterGivesWhatItWasGivenInOrder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, n := range []int{0, 1, 1000, 60_000} {
		all := events(t, n)
		given := slices.Clone(all)
		rand.Shuffle(n, func(i, j int) { given[i], given[j] = given[j], given[i] })
		s := reading.Sorter{Source: "files"}
		for i, ae := range given {
			if err := s.Add(reading.NewRecord(ae, "files", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		i := 0
		for r, err := range s.Sorted() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Event.Name != all[i].Name || r.Event.Spec.Reason != all[i].Spec.Reason || r.Source != "files" || r.At == "" {
				t.Fatalf("event %d of %d is %s at %q", i, n, r.Event.Name, r.At)
			}
			i++
		}
		if i != n {
			t.Errorf("%d events, want %d", i, n)
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("%d files are left: %v", len(left), err)
		}
	}
}

func TestMergeFoldsWhatSeveralPlacesHold(t *testing.T) {
	all := events(t, 300)
	a, b := &memory{name: "a"}, &memory{name: "b"}
	for i, ae := range all {
		if i%2 == 0 {
			a.events = append(a.events, ae)
		}
		if i%3 == 0 {
			b.events = append(b.events, ae, ae) // b does not recognise repeats
		}
	}
	entries, errs := merged(t, &reading.Query{}, a, b)
	if len(errs) > 0 || len(entries) != 200 {
		t.Fatalf("%d entries, want 200: %v", len(entries), errs)
	}
	last := reading.Key{}
	for _, e := range entries {
		key := e.Records[0].Key()
		if key.Compare(last) <= 0 {
			t.Errorf("%s comes after %s", key.Name, last.Name)
		}
		last = key
		var i int
		if _, err := fmt.Sscanf(e.Event().Name, "ae-%d", &i); err != nil {
			t.Fatal(err)
		}
		places, repeats := []string{}, 0
		if i%2 == 0 {
			places = append(places, "a")
		}
		if i%3 == 0 {
			places, repeats = append(places, "b"), 1
		}
		if !slices.Equal(e.Places(), places) || e.Repeats != repeats || len(e.Others) > 0 {
			t.Errorf("event %d is in %v, repeated %d times", i, e.Places(), e.Repeats)
		}
	}
}

func TestMergeGoesOnWithoutASourceThatFails(t *testing.T) {
	all := events(t, 100)
	foreign := &reading.Foreign{Source: "a", Count: 3, First: "line 7"}
	a := &memory{name: "a", events: all, other: foreign}
	b := &memory{name: "b", events: all[:10], err: io.ErrUnexpectedEOF}
	entries, errs := merged(t, &reading.Query{}, a, b)
	if len(entries) != 100 || len(errs) != 2 {
		t.Fatalf("%d entries, errors %v", len(entries), errs)
	}
	var failed *reading.Failed
	if !errors.Is(errs[0], foreign) || !errors.As(errs[1], &failed) || failed.Source != "b" || !errors.Is(failed, io.ErrUnexpectedEOF) {
		t.Errorf("errors %v", errs)
	}
}

func TestMergeRefusesASourceOutOfOrder(t *testing.T) {
	all := events(t, 3)
	slices.Reverse(all)
	_, errs := merged(t, &reading.Query{}, &memory{name: "a", events: all})
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "comes after a later one") {
		t.Errorf("errors %v", errs)
	}
}

func TestMergeMayBeLeftEarly(t *testing.T) {
	all := events(t, 1000)
	n := 0
	for range reading.Merge(t.Context(), &reading.Query{}, &memory{name: "a", events: all}, &memory{name: "b", events: all}) {
		if n++; n == 5 {
			break
		}
	}
}

func TestQueryTakesWhatEachFieldTakes(t *testing.T) {
	r := reading.NewRecord(event(t, 1), "a", "")
	for name, c := range map[string]struct {
		q    reading.Query
		want bool
	}{
		"everything":       {reading.Query{}, true},
		"since included":   {reading.Query{Since: r.Time}, true},
		"since later":      {reading.Query{Since: r.Time.Add(1)}, false},
		"until excluded":   {reading.Query{Until: r.Time}, false},
		"until later":      {reading.Query{Until: r.Time.Add(1)}, true},
		"namespace":        {reading.Query{Namespaces: []string{"x", "team-a"}}, true},
		"other namespace":  {reading.Query{Namespaces: []string{"team"}}, false},
		"component":        {reading.Query{Components: []string{"proxy"}}, true},
		"other component":  {reading.Query{Components: []string{"broker"}}, false},
		"kind":             {reading.Query{Kinds: []v1alpha1.AuditKind{"egress-block"}}, true},
		"other kind":       {reading.Query{Kinds: []v1alpha1.AuditKind{"egress-allow"}}, false},
		"decision":         {reading.Query{Decisions: []v1alpha1.AuditDecision{"denied"}}, true},
		"other decision":   {reading.Query{Decisions: []v1alpha1.AuditDecision{"granted", "warned"}}, false},
		"run":              {reading.Query{Runs: []string{"run-1"}}, true},
		"other run":        {reading.Query{Runs: []string{""}}, false},
		"name":             {reading.Query{Names: []string{"ae-00000001"}}, true},
		"other name":       {reading.Query{Names: []string{"ae-1"}}, false},
		"text":             {reading.Query{Grep: "number 1"}, true},
		"other text":       {reading.Query{Grep: "number 2"}, false},
		"expression":       {reading.Query{Where: where(t, "event.spec.destination.port == 22")}, true},
		"other expression": {reading.Query{Where: where(t, "event.spec.destination.port == 443")}, false},
	} {
		if got, err := c.q.Takes(r); got != c.want || err != nil {
			t.Errorf("%s: %t, want %t: %v", name, got, c.want, err)
		}
	}
}

func where(t testing.TB, expression string) *reading.Where {
	t.Helper()
	w, err := reading.NewWhere(expression)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWhereSeesTheWholeEvent(t *testing.T) {
	ae := event(t, 1)
	ae.Spec.Detail = map[string]string{"path": "/etc/shadow"}
	r := reading.NewRecord(ae, "a", "")
	for expression, want := range map[string]bool{
		`event.spec.kind == "egress-block" && event.metadata.namespace == "team-a"`:    true,
		`event.metadata.labels["paddock.dev/component"] == "proxy"`:                    true,
		`event.spec.timestamp == timestamp("2026-04-25T12:00:00.12345679Z")`:           true,
		`event.spec.timestamp < timestamp("2026-04-25T12:00:00Z")`:                     false,
		`event.spec.detail.path.startsWith("/etc/")`:                                   true,
		`event.spec.destination.port in [22, 23]`:                                      true,
		`event.spec.destination.port > 21.5`:                                           true,
		`event.spec.detail.exists(key, key == "path") && size(event.spec.detail) == 1`: true,
		`has(event.metadata.labels.nothing) || has(event.spec.actor)`:                  false,
		// A field that is not there is no error, and never true.
		`event.spec.actor.user == "alice"`:                                    false,
		`event.spec.actor.user != "alice"`:                                    false,
		`!(event.spec.actor.user == "alice")`:                                 false,
		`event.spec.nothing.at.all`:                                           false,
		`event.metadata.labels.nothing != "a"`:                                false,
		`event.spec.actor.user == "alice" || event.spec.reason == "number 1"`: true,
	} {
		q := reading.Query{Where: where(t, expression)}
		if got, err := q.Takes(r); got != want || err != nil {
			t.Errorf("%s: %t, want %t: %v", expression, got, want, err)
		}
	}
}

func TestBadExpressionsAreRefused(t *testing.T) {
	for expression, want := range map[string]string{
		``:                   "Syntax error",
		`event.spec.kind ==`: "Syntax error",
		`spec.kind == "a"`:   "undeclared reference to 'spec'",
		`"a text"`:           "want true or false",
	} {
		if _, err := reading.NewWhere(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", expression, err, want)
		}
	}
	q := reading.Query{Where: where(t, `event.spec.kind + 1 == 2`)}
	if _, err := q.Takes(reading.NewRecord(event(t, 1), "a", "")); err == nil || !strings.Contains(err.Error(), "ae-00000001") {
		t.Errorf("a text plus a number: %v", err)
	}
	q.Where = where(t, `event.spec.reason`)
	if _, err := q.Takes(reading.NewRecord(event(t, 1), "a", "")); err == nil || !strings.Contains(err.Error(), "want true or false") {
		t.Errorf("a text in place of a condition: %v", err)
	}
}

func TestFollowYieldsEachEventOnce(t *testing.T) {
	all := events(t, 50)
	seen := map[string]int{}
	for r, err := range reading.Follow(t.Context(), &reading.Query{}, &memory{name: "a", events: all}, &memory{name: "b", events: all}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Event.Name]++
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", name, n)
		}
	}
	if len(seen) != 50 {
		t.Errorf("%d events, want 50", len(seen))
	}
}
