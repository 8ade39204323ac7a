package loki_test

import (
	"errors"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// late writes events with a time that Loki refuses, and good events in the same and in
// another namespace, each from a goroutine of its own. Two sinks write all of them.
func late(t *testing.T, age time.Duration) (l *testenv.Loki, odd []testenv.Entry, want []*v1alpha1.AuditEvent) {
	l = production.get(t)
	// The time of sending is cut to ten minutes. When a new ten minutes begin during the
	// test, the second sink stores other entries than the first, and the test begins again.
	slot := func() time.Time { return time.Now().Truncate(10 * time.Minute) }
	begun := slot()
	sink := open(t, l.URL, loki.Options{})
	ns, other := namespace(), namespace()
	mustWriteAll(t, sink, event(ns, "newest"), event(other, "newest")) // both streams have a new entry
	var good, elsewhere []*v1alpha1.AuditEvent
	for i := range 300 {
		when := time.Now().Add(-age + time.Duration(i)*time.Millisecond)
		want = append(want, eventAt(ns, "odd", when))
		good = append(good, event(ns, "good"))
		elsewhere = append(elsewhere, event(other, "good"))
	}
	all := append(append(append([]*v1alpha1.AuditEvent{}, want...), good...), elsewhere...)
	for i, err := range writeAll(t, sink, all) {
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	again := open(t, l.URL, loki.Options{})
	for _, s := range []*loki.Sink{sink, again} {
		if err := errors.Join(writeAll(t, s, want)...); err != nil {
			t.Fatal(err)
		}
	}
	if slot() != begun {
		return late(t, age)
	}
	for _, e := range stored(t, l, "", other) {
		if e.Labels["late"] != "" {
			t.Fatalf("a good event elsewhere is marked late: %v", e.Labels)
		}
	}
	if n := len(stored(t, l, "", other)); n != len(elsewhere)+1 {
		t.Fatalf("%d entries elsewhere, want %d", n, len(elsewhere)+1)
	}
	regular := 0
	for _, e := range stored(t, l, "", ns) {
		if e.Labels["late"] == "" {
			regular++
		} else {
			odd = append(odd, e)
		}
	}
	if regular != len(good)+1 {
		t.Fatalf("%d regular entries, want %d", regular, len(good)+1)
	}
	sameEvents(t, odd, want)
	return l, odd, want
}

// trueTimes checks that each entry has the time of its event in its metadata and line.
func trueTimes(t *testing.T, entries []testenv.Entry, events []*v1alpha1.AuditEvent) {
	t.Helper()
	when := map[string]time.Time{}
	for _, ae := range events {
		when[ae.Name] = auditing.EventTime(ae)
	}
	for _, e := range entries {
		want := when[e.Metadata["event"]]
		if got := e.Metadata["event_time"]; got != want.UTC().Format(time.RFC3339Nano) {
			t.Fatalf("metadata event_time is %q, want %s", got, want)
		}
		if got := auditing.EventTime(parsed(t, e)); !got.Equal(want) {
			t.Fatalf("the line's time is %s, want %s", got, want)
		}
	}
}

func TestTrapTwoHoursBehindItsStreamIsStoredAtItsTime(t *testing.T) {
	t.Parallel()
	_, entries, events := late(t, 2*time.Hour)
	trueTimes(t, entries, events)
	for _, e := range entries {
		if got, want := e.Labels["late"], e.Time.UTC().Format("2006-01-02T15Z"); got != want {
			t.Fatalf("label late is %q at %s, want %q", got, e.Time, want)
		}
		if e.Metadata["event_time"] != e.Time.Format(time.RFC3339Nano) {
			t.Fatalf("stored at %s, want %s", e.Time, e.Metadata["event_time"])
		}
	}
}

func TestTrapEightDaysOldIsStoredUnderTheTimeOfSending(t *testing.T) {
	t.Parallel()
	sentUnderNow(t, 8*24*time.Hour)
}

func TestTrapInTheFutureIsStoredUnderTheTimeOfSending(t *testing.T) {
	t.Parallel()
	sentUnderNow(t, -2*time.Hour)
}

func sentUnderNow(t *testing.T, age time.Duration) {
	_, entries, events := late(t, age)
	trueTimes(t, entries, events)
	for _, e := range entries {
		if e.Labels["late"] != "sent" {
			t.Fatalf("label late is %q, want sent", e.Labels["late"])
		}
		if d := time.Since(e.Time); d < -time.Second || d > 11*time.Minute {
			t.Fatalf("stored under %s, which is %s ago", e.Time, d)
		}
	}
}

func TestTrapBacklogsOfTwoProcessesAreAllStored(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	a, b := open(t, l.URL, loki.Options{}), open(t, l.URL, loki.Options{})
	ns := namespace()
	mustWriteAll(t, a, event(ns, "newest"))
	var forwards, backwards []*v1alpha1.AuditEvent
	for i := range 100 {
		forwards = append(forwards, eventAt(ns, "a", time.Now().Add(time.Duration(i-150)*30*time.Minute)))
		backwards = append(backwards, eventAt(ns, "b", time.Now().Add(time.Duration(-i-50)*30*time.Minute)))
	}
	for i := range forwards {
		mustWriteAll(t, a, forwards[i])
		mustWriteAll(t, b, backwards[i])
	}
	var odd []testenv.Entry
	for _, e := range stored(t, l, "", ns) {
		if e.Labels["late"] != "" {
			odd = append(odd, e)
		}
	}
	sameEvents(t, odd, append(forwards, backwards...))
	trueTimes(t, odd, append(forwards, backwards...))
	for _, e := range odd {
		if e.Labels["late"] == "sent" {
			t.Fatalf("an event of the last days is not at its own time: %v", e.Labels)
		}
	}
}

func TestTrapTimesBeyondNanosecondsAreStored(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{})
	ns := namespace()
	events := []*v1alpha1.AuditEvent{
		eventAt(ns, "antiquity", time.Date(12, 1, 1, 0, 0, 0, 1, time.UTC)),
		eventAt(ns, "before the epoch", time.Date(1969, 12, 31, 23, 59, 59, 1, time.UTC)),
		eventAt(ns, "the epoch", time.Unix(0, 0)),
		eventAt(ns, "after nanoseconds", time.Date(9999, 1, 1, 0, 0, 0, 1, time.UTC)),
	}
	mustWriteAll(t, sink, events...)
	entries := stored(t, l, "", ns)
	sameEvents(t, entries, events)
	trueTimes(t, entries, events)
}
