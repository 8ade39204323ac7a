package flood_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

// The hostile workload: writers that make attempts, each on a goroutine of its
// own as a proxy's connections are, spread evenly over a time.
const (
	writers = 64
	over    = 10 * time.Second
)

// attemptsEnv is how many attempts one workload makes; 100,000 when it is not set.
const attemptsEnv = "AUDIT_FLOOD_ATTEMPTS"

// outcome counts how the writes of an attack ended.
type outcome struct{ ok, refused, failed atomic.Int64 }

func (o *outcome) String() string {
	return fmt.Sprintf("%d succeeded, %d were refused as too many, %d failed", o.ok.Load(), o.refused.Load(), o.failed.Load())
}

// attack makes n attempts; event builds attempt i of a writer.
func attack(ctx context.Context, s auditing.Sink, n int, event func(w, i int) *v1alpha1.AuditEvent) *outcome {
	var o outcome
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			each := n / writers
			for i := range each {
				wg.Go(func() {
					err := s.Write(ctx, event(w, i))
					switch class, _ := driver.ClassOf(err); {
					case err == nil:
						o.ok.Add(1)
					case class == auditing.ClassFull:
						o.refused.Add(1)
					default:
						o.failed.Add(1)
					}
				})
				time.Sleep(over / time.Duration(each))
			}
		})
	}
	wg.Wait()
	return &o
}

// arrivals notes when what arrives at a destination.
type arrivals struct {
	next auditing.Sink

	mu sync.Mutex
	at map[string][]time.Time // by run
	n  int
}

func (a *arrivals) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	run := ""
	if ae.Spec.RunRef != nil {
		run = ae.Spec.RunRef.Name
	}
	a.mu.Lock()
	if a.at == nil {
		a.at = map[string][]time.Time{}
	}
	a.at[run] = append(a.at[run], time.Now())
	a.n++
	a.mu.Unlock()
	return a.next.Write(ctx, ae)
}

// most returns how many events of one run arrived within any time of d.
func (a *arrivals) most(d time.Duration) (most int) {
	for _, times := range a.at {
		slices.SortFunc(times, time.Time.Compare)
		for i, from := range times {
			n := 0
			for _, at := range times[i:] {
				if at.Sub(from) < d {
					n++
				}
			}
			most = max(most, n)
		}
	}
	return most
}

func ofRun(w, i int) *v1alpha1.AuditEvent {
	return blocked(fmt.Sprint("run-", (w+i)%100), fmt.Sprintf("host-%d.example", i%7))
}

func TestAFloodOfDenialsArrivesAsTwoEventsARunAndWindow(t *testing.T) {
	attempts := 100_000
	if text := os.Getenv(attemptsEnv); text != "" {
		var err error
		if attempts, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", attemptsEnv, err)
		}
	}
	attempts -= attempts % writers
	synctest.Test(t, func(t *testing.T) {
		destination := &sinktest.Recorder{}
		next := &arrivals{next: destination}
		sink := newSink(t, next, flood.Options{Rate: 1000})
		o := attack(t.Context(), sink, attempts, ofRun)
		must(t, sink.Close(t.Context()))
		stored := destination.Events()
		t.Logf("%d attempts of %d writers over %d runs in %v: %v; %d events stored, %d at most of a run within %v",
			attempts, writers, 100, over, o, len(stored), next.most(window), window)
		if n := o.ok.Load(); n != int64(attempts) || counted(stored) != n {
			t.Errorf("%v; the counts add up to %d", o, counted(stored))
		}
		if most := next.most(window); most > 2 {
			t.Errorf("%d events of one run arrived within %v, want at most 2", most, window)
		}
		for i := range stored {
			if stored[i].Spec.RunRef == nil {
				t.Fatal("events of different runs were collapsed below the rate")
			}
		}
	})
}

func TestEventsPassBelowTheRateHoweverManyKeysThereAre(t *testing.T) {
	const burst, rate = 1000, 100
	before := heap()
	synctest.Test(t, func(t *testing.T) {
		next := &arrivals{next: counter{}}
		sink := newSink(t, next, flood.Options{}) // the defaults
		var peak atomic.Uint64
		var seen atomic.Int64
		o := attack(t.Context(), sink, manyKeys, func(w, i int) *v1alpha1.AuditEvent {
			if seen.Add(1)%(manyKeys/8) == 0 {
				peak.Store(max(peak.Load(), heap()))
			}
			return blocked(fmt.Sprintf("run-%d-%d", w, i), "evil.example") // every attempt a new key
		})
		after := heap()
		must(t, sink.Close(t.Context()))
		most := int(burst + rate*(over+time.Second)/time.Second)
		t.Logf("%d keys: %v; %d events passed, %d may; heap %d KiB above the start, %d KiB at most on the way",
			manyKeys, o, next.n, most, (after-min(before, after))>>10, (peak.Load()-min(before, peak.Load()))>>10)
		if o.ok.Load() != manyKeys || total.Load() != manyKeys {
			t.Errorf("%v; the counts add up to %d", o, total.Load())
		}
		if next.n > most {
			t.Errorf("%d events passed, want at most %d", next.n, most)
		}
		if after > before+32<<20 {
			t.Errorf("the heap grew by %d KiB", (after-before)>>10)
		}
	})
}

// counter is a destination that keeps only the sum of the counts, in total.
type counter struct{}

var total atomic.Int64

func (counter) Write(_ context.Context, ae *v1alpha1.AuditEvent) error {
	total.Add(int64(max(ae.Spec.Count, 1)))
	return nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A destination that refuses at random and writers that give up at random: what
// failed did not arrive, so the counts are those of the writes that succeeded.
func TestTheCountsAreThoseOfTheSuccessfulWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		destination := &sinktest.Recorder{}
		next := slow{destination, func() time.Duration { return 0 }, func() bool { return rand.IntN(2) == 0 }}
		sink := newSink(t, next, flood.Options{Rate: 200, Burst: 50})
		var o outcome
		var wg sync.WaitGroup
		for i := range 50_000 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+rand.IntN(2000))*time.Millisecond)
				defer cancel()
				err := sink.Write(ctx, ofRun(i%writers, i))
				switch {
				case err == nil:
					o.ok.Add(1)
				case errors.Is(err, syscall.EAGAIN) || errors.Is(err, context.DeadlineExceeded):
					o.failed.Add(1)
				default:
					t.Error(err)
				}
			})
			time.Sleep(100*time.Microsecond + 1) // never at the very moment when a summary is under way
		}
		wg.Wait()
		must(t, sink.Close(t.Context()))
		t.Logf("%v; %d events stored", &o, len(destination.Events()))
		got, want := counted(destination.Events()), o.ok.Load()
		if got != want || want == 0 || o.failed.Load() == 0 {
			t.Errorf("the counts add up to %d, and %v", got, &o)
		}
	})
}
