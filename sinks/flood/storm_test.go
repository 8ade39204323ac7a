package flood_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

// Writers come, give up and write again, the destination is slow, refuses and
// panics, and the stage is closed by several at once in the middle of it: every
// write returns, and what succeeded is counted.
func TestCloseInAStormLosesNoCountAndLeavesNobodyWaiting(t *testing.T) {
	for round := range 20 {
		synctest.Test(t, func(t *testing.T) {
			destination := &sinktest.Recorder{}
			next := open{slow{destination, func() time.Duration { return time.Duration(rand.IntN(100)) * time.Millisecond }, func() bool {
				switch rand.IntN(10) {
				case 0:
					panic("broken")
				case 1:
					return true
				}
				return false
			}}}
			reg := prometheus.NewRegistry()
			sink := newSink(t, next, flood.Options{Rate: 200, Burst: 20, Window: 50 * time.Millisecond})
			watched := newSink(t, sink, flood.Options{Rate: -1, Window: 20 * time.Millisecond, Registerer: reg, Name: "outer"})
			var ok, unknown atomic.Int64
			var wg sync.WaitGroup
			for w := range 32 {
				wg.Go(func() {
					for i := range 60 {
						ae := blocked(fmt.Sprint("run-", (w+i)%10), "evil.example")
						for range 1 + rand.IntN(3) {
							ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rand.IntN(300))*time.Millisecond)
							err := watched.Write(ctx, ae)
							cancel()
							if err == nil {
								ok.Add(1)
								break
							}
							if class, _ := driver.ClassOf(err); class == auditing.ClassClosed && strings.Contains(err.Error(), "flood: closed: the stage") {
								return // before it was admitted
							}
							unknown.Add(1)
						}
					}
				})
			}
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
			for range 3 {
				wg.Go(func() { _ = watched.Close(t.Context()) })
			}
			wg.Wait()
			if got := metricsOf(t, reg, "outer"); len(got) != 0 {
				t.Errorf("round %d: metrics are left: %v", round, got)
			}
			counted := counted(destination.Events())
			if counted < ok.Load() || counted > ok.Load()+unknown.Load() {
				t.Errorf("round %d: %d writes succeeded and %d failed; the counts add up to %d", round, ok.Load(), unknown.Load(), counted)
			}
		})
	}
}

// open is a sink without Close.
type open struct{ auditing.Sink }
