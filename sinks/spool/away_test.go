package spool_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// tally counts how often each event is delivered, and keeps no events.
type tally struct {
	driver.Base
	away atomic.Bool

	mu    sync.Mutex
	times []uint8 // how often each event came
	last  map[string]int
	wrong error
}

func (c *tally) Info() driver.Info { return driver.Info{Name: "tally"} }

func (c *tally) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, c.count)
}

func (c *tally) count(_ context.Context, e *driver.Event) error {
	if c.away.Load() {
		return errAway
	}
	writer, number, ok := strings.Cut(e.Name(), "-")
	i, err := strconv.Atoi(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok || err != nil || i >= len(c.times) {
		c.wrong = fmt.Errorf("an event named %q", e.Name())
		return nil
	}
	if i <= c.last[writer] {
		c.wrong = fmt.Errorf("event %d of writer %s came after %d", i, writer, c.last[writer])
	}
	c.last[writer] = i
	c.times[i]++
	return nil
}

const (
	awayEvents  = 100_000
	awayWriters = 64
	heapBound   = 64 << 20
)

func TestLongOutageDeliversEachEventOnceInBoundedMemory(t *testing.T) {
	to := &tally{times: make([]uint8, awayEvents+1), last: map[string]int{}}
	to.away.Store(true)
	base := heap()
	s, err := spool.New(t.TempDir(), driver.New(to), quick())
	if err != nil {
		t.Fatal(err)
	}
	most := watchHeap(t)
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range awayWriters {
		wg.Go(func() {
			ae := event("x")
			for i := next.Add(1); i <= awayEvents; i = next.Add(1) {
				ae.Name = fmt.Sprintf("%d-%d", w, i)
				if err := s.Write(t.Context(), ae); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	stored := time.Since(start)
	to.away.Store(false)
	start = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	drained := time.Since(start)
	grown := int64(most()) - int64(base)
	if to.wrong != nil {
		t.Error(to.wrong)
	}
	for i, n := range to.times[1:] {
		if n != 1 {
			t.Fatalf("event %d came %d times", i+1, n)
		}
	}
	t.Logf("%d events stored in %s, delivered in %s, each once and in order; the heap grew by at most %.1f MiB",
		awayEvents, stored.Round(time.Millisecond), drained.Round(time.Millisecond), float64(grown)/(1<<20))
	if grown > heapBound {
		t.Errorf("the heap grew by %d bytes, want at most %d", grown, heapBound)
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// watchHeap watches the size of the heap. It returns a function that ends the watch and
// returns the largest size.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	var most uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticks := time.NewTicker(200 * time.Millisecond)
		defer ticks.Stop()
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-ticks.C:
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return most
	}
}
