package loki

import (
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestRefusalProvesOnlyChecksOfTheWholeRequest(t *testing.T) {
	t.Parallel()
	at := func(text string) int64 {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixNano()
	}
	const (
		old  = `2 errors like: entry for stream '{a="b"}' has timestamp too old: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-01-08T00:00:00Z`
		new_ = `entry for stream '{a="b"}' has timestamp too new: 2026-02-01T00:00:00Z`
		late = "entry with timestamp 2026-01-20 00:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-01-20T00:00:00Z, " +
			"oldest acceptable timestamp is: 2026-01-20T01:00:00Z',\nuser 'fake', total ignored: 3 out of "
	)
	for name, c := range map[string]struct {
		text string
		at   string
		n    int
		want refused
	}{
		"older than the limit":                     {old, "2026-01-07T23:59:59Z", 9, refusedTime},
		"at the limit":                             {old, "2026-01-08T00:00:00Z", 9, refusedNot},
		"as new as the refused":                    {new_, "2026-02-01T00:00:01Z", 9, refusedTime},
		"within the refused second":                {new_, "2026-02-01T00:00:00Z", 9, refusedNot},
		"both, old":                                {new_ + "; " + old, "2026-01-01T00:00:00Z", 9, refusedTime},
		"both, in between":                         {old + "; " + new_, "2026-01-10T00:00:00Z", 9, refusedNot},
		"behind, nothing stored":                   {late + "3 for stream: {}", "2026-01-20T00:59:59Z", 3, refusedBehind},
		"behind, nothing stored, itself not":       {late + "3 for stream: {}", "2026-01-20T01:00:00Z", 3, refusedNot},
		"behind, others stored":                    {late + "4 for stream: {}", "2026-01-20T00:59:59Z", 4, refusedNot},
		"behind, of one shard only":                {late + "3 for stream: {}", "2026-01-20T00:59:59Z", 7, refusedNot},
		"alone and behind":                         {late + "1 for stream: {}", "2026-01-20T01:00:01Z", 1, refusedBehind},
		"alone, and writes have to be in order":    {"entry out of order", "2026-01-20T01:00:01Z", 1, refusedBehind},
		"alone and too old":                        {old, "2026-01-08T00:00:00Z", 1, refusedTime},
		"alone and refused for some other reason":  {"max entry size '8192' bytes exceeded", "2026-01-08T00:00:00Z", 1, refusedNot},
		"one of several refused for other reasons": {"max entry size '8192' bytes exceeded", "2026-01-08T00:00:00Z", 2, refusedNot},
	} {
		if why := readRefusal(c.text).covers(at(c.at), c.n); why != c.want {
			t.Errorf("%s: %d, want %d", name, why, c.want)
		}
	}
}

func TestSendingTimeIsTheSameWithinItsSlot(t *testing.T) {
	t.Parallel()
	const ae = "team-a/ae-1"
	slot := time.Date(2026, 1, 1, 12, 10, 0, 0, time.UTC)
	first := sent(ae, slot)
	if again := sent(ae, slot.Add(sentSlot-1)); again != first {
		t.Errorf("got %v at the slot's end, want %v", again, first)
	}
	if d := time.Duration(first.ns - slot.UnixNano()); d < 0 || d >= time.Second {
		t.Errorf("%s after the slot's start, want less than a second", d)
	}
	if next := sent(ae, slot.Add(sentSlot)); next.ns != first.ns+int64(sentSlot) {
		t.Errorf("the next slot is %s later", time.Duration(next.ns-first.ns))
	}
}

func TestRememberedPlacesStayBounded(t *testing.T) {
	t.Parallel()
	sink, err := New("http://loki.invalid", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := sink.store
	ae := &v1alpha1.AuditEvent{}
	for i := range 5 * rememberedPlaces {
		ae.Name = strings.Repeat("x", i%200) + time.Duration(i).String()
		s.moved.Add(ae.Name, placement{late: lateSent, ns: int64(i)})
	}
	if n := s.moved.Len(); n > rememberedPlaces {
		t.Errorf("%d places are remembered", n)
	}
	if got := s.firstPlacement(decoded(t, ae)); got.late != lateSent {
		t.Errorf("the last place is forgotten: %v", got)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// decoded returns an event without validating or shortening it.
func decoded(t *testing.T, ae *v1alpha1.AuditEvent) *driver.Event {
	t.Helper()
	e, err := driver.Decode(eventjson.Append(nil, ae))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
