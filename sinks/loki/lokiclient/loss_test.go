package lokiclient_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
)

// The tests in this file show the losses of this client that the README lists.

func TestWriteReturnsNilBeforeTheEventIsSent(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	sink := newSink(t, l.URL, oneBatch())
	ns := namespace()
	const n = 500
	for range n {
		mustWrite(t, sink, event(ns, time.Time{}))
	}
	if got := len(mustStored(t, l, ns)); got != 0 {
		t.Fatalf("Loki holds %d events, want none before the client sends", got)
	}
	t.Logf("%d events answered with nil are in memory alone", n)
	if err := closeWithin(sink, patience); err != nil {
		t.Fatal(err)
	}
	if got := len(mustStored(t, l, ns)); got != n {
		t.Errorf("after Close Loki holds %d events, want %d", got, n)
	}
}

func TestARefusedEventIsLostAfterNil(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	sink := newSink(t, l.URL, oneBatch())
	ns := namespace()
	// In one batch: Loki takes the good event and refuses the other for its age.
	mustWrite(t, sink, event(ns, time.Time{}), event(ns, time.Now().Add(-8*24*time.Hour)))
	err := closeWithin(sink, patience)
	if err == nil || !strings.Contains(err.Error(), "has timestamp too old") {
		t.Fatalf("Close returned %v, want Loki's words about the refused event", err)
	}
	if !strings.Contains(err.Error(), "dropped 2 entries") {
		t.Errorf("Close returned %v, want the client's count", err)
	}
	if got := len(mustStored(t, l, ns)); got != 1 {
		t.Errorf("Loki holds %d events, want 1", got)
	}
	t.Logf("Close: %v", err)
}

func TestBlockedLokiLosesAllEventsUnnoticed(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{Limits: map[string]any{"block_ingestion_until": "2100-01-01T00:00:00Z"}})
	sink := newSink(t, l.URL, quick)
	ns := namespace()
	const n = 100
	for range n {
		mustWrite(t, sink, event(ns, time.Time{}))
	}
	if err := closeWithin(sink, patience); err != nil {
		t.Fatalf("Close returned %v; the client takes Loki's 260 for success", err)
	}
	if got := len(mustStored(t, l, ns)); got != 0 {
		t.Fatalf("Loki holds %d events, want none", got)
	}
	t.Logf("%d events: Write nil, Close nil, stored 0", n)
}

func TestRefusalOfOneStreamIsHiddenByAnother(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	ns := namespace()
	now := time.Now()
	first := newSink(t, l.URL, quick)
	mustWrite(t, first, event(ns, now))
	if err := closeWithin(first, patience); err != nil {
		t.Fatal(err)
	}
	// Each batch holds an event two hours behind its stream, and one of another
	// stream. The order of streams in a batch is that of a map.
	const batches = 40
	unseen := 0
	for i := range batches {
		sink := newSink(t, l.URL, oneBatch())
		mustWrite(t, sink, event(ns, now.Add(-2*time.Hour-time.Duration(i))), event(namespace(), now))
		if closeWithin(sink, patience) == nil {
			unseen++
		}
	}
	if got := len(mustStored(t, l, ns)); got != 1 {
		t.Fatalf("Loki holds %d events, want the first alone", got)
	}
	if unseen == 0 {
		t.Error("every refusal was told; Loki now answers for every stream of a request")
	}
	t.Logf("of %d events lost, %d were lost with Write nil and Close nil", batches, unseen)
}

func TestEventsAreAcceptedWhileLokiIsDown(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	opts := quick
	opts.BatchWait = 0 // the client's own default
	opts.MinBackoff, opts.MaxBackoff = 200*time.Millisecond, 400*time.Millisecond
	sink := newSink(t, l.URL, opts)
	ns := namespace()
	if err := l.Kill(); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	var err error
	for err == nil {
		if err = writeWithin(sink, 250*time.Millisecond, event(ns, time.Time{})); err == nil {
			accepted++
		}
	}
	if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout {
		t.Errorf("once the client is busy Write returned class %s, want timeout: %v", class, err)
	}
	if accepted < 100 {
		t.Errorf("%d events were accepted, want those of a second", accepted)
	}
	err = closeWithin(sink, patience)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("Close returned %v, want what the client could not send", err)
	}
	t.Logf("%d events answered with nil while Loki was down; Close: %v", accepted, err)
	if err := l.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := len(mustStored(t, l, ns)); got != 0 {
		t.Errorf("after its restart Loki holds %d of them, want none", got)
	}
}
