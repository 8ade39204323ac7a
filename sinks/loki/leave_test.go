package loki_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/loki"
)

// Writers share pushes. A writer that gives up must not change what is stored for the
// other writers of its push.
func TestWriterThatGivesUpDoesNotDisturbOthers(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	sink := open(t, l.URL, loki.Options{})
	ns := namespace()
	var mu sync.Mutex
	reasons := map[string]string{} // by name
	confirmed := map[string]bool{}
	left := 0
	var wg sync.WaitGroup
	for writer := range 128 {
		wg.Go(func() {
			for i := range 50 {
				reason := fmt.Sprintf("writer %d, event %d", writer, i)
				ae := event(ns, reason)
				ctx, cancel := context.WithCancel(t.Context())
				if writer%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, rand.N(20*time.Millisecond))
				}
				err := sink.Write(ctx, ae)
				cancel()
				// After Write the event belongs to the caller again.
				name := ae.Name
				ae.Name, ae.Spec.Reason = "changed", "changed"
				mu.Lock()
				reasons[name] = reason
				if err == nil {
					confirmed[name] = true
				} else {
					left++
				}
				mu.Unlock()
				if err != nil && writer%2 == 1 {
					t.Errorf("a writer with time: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if left == 0 {
		t.Error("nobody has left: the test shows nothing")
	}
	entries := stored(t, l, "", ns)
	for _, e := range entries {
		name, ae := e.Metadata["event"], parsed(t, e)
		if want, ok := reasons[name]; !ok || ae.Name != name || ae.Spec.Reason != want {
			t.Fatalf("%s is stored as %s, %q, want %q", name, ae.Name, ae.Spec.Reason, want)
		}
		delete(confirmed, name)
	}
	for name := range confirmed {
		t.Errorf("%s was confirmed and is not stored", name)
	}
	t.Logf("%d writers left, %d entries are stored", left, len(entries))
}
