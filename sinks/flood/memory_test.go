package flood

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

func TestMemoryStaysWithinBoundsWhenEveryWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		next.FailWith(syscall.ECONNREFUSED)
		s, err := newStage(next, Options{Rate: -1, MaxKeys: 100, Remember: 1 << 14})
		if err != nil {
			t.Fatal(err)
		}
		sink := driver.New(s)
		for round := range 30 {
			for i := range 300 {
				ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: fmt.Sprint("run-", round, "-", i/3)})
				go func() { _ = sink.Write(context.Background(), ae) }()
			}
			time.Sleep(2 * s.opts.Window)
		}
		synctest.Wait()
		if len(s.windows) > s.opts.MaxKeys || len(s.open) != 0 || len(s.waiting) != 0 || len(s.across) != 0 || s.underWay != 0 {
			t.Errorf("%d windows, %d open, %d waiting, %d across, %d under way", len(s.windows), len(s.open), len(s.waiting), len(s.across), s.underWay)
		}
		if n := len(s.failed); n != maxFailed {
			t.Errorf("%d failed summaries are kept, want %d of 3,000", n, maxFailed)
		}
	})
}

func TestWritersWhoComeAndGoDoNotFillTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newStage(&sinktest.Recorder{}, Options{Window: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		sink := driver.New(s)
		for range 10_000 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			_ = sink.Write(ctx, auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a"}))
			cancel()
		}
		for g := range s.open {
			if len(g.members) > 100 || g.live != 0 || len(s.waiting) != 0 {
				t.Errorf("%d members are kept, %d of them live, %d waiting", len(g.members), g.live, len(s.waiting))
			}
		}
		if err := sink.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheMemoryKnowsMostOfTheLatestEventsAndReplacesTheOldest(t *testing.T) {
	const size = 1 << 12
	m := newMemory(size)
	var ids []identity
	for i := range 10 * size {
		e, err := driver.Prepare(auditing.NewEvent(auditing.EventInput{Kind: "k", Decision: "denied", Reason: fmt.Sprint(i)}), "")
		if err != nil {
			t.Fatal(err)
		}
		id := identityOf(e)
		ids = append(ids, id)
		m.put(id, nil)
		m.put(id, nil) // known already: it takes no second place
	}
	known := func(ids []identity) (n int) {
		for _, id := range ids {
			if _, ok := m.get(id); ok {
				n++
			}
		}
		return n
	}
	all, half, quarter := known(ids), known(ids[len(ids)-size/2:]), known(ids[len(ids)-size/4:])
	t.Logf("%d known of all, %d of the last %d, %d of the last %d", all, half, size/2, quarter, size/4)
	if all != size || half < size/2*93/100 || quarter < size/4*99/100 {
		t.Errorf("%d known of all, %d of the last %d, %d of the last %d", all, half, size/2, quarter, size/4)
	}
}
