package flood_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

func TestCloseSendsTheOpenSummariesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var ok atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if sink.Write(t.Context(), blocked(fmt.Sprint("run-", i%10), "evil.example")) == nil {
					ok.Add(1)
				}
			})
		}
		synctest.Wait()
		begin := time.Now()
		must(t, sink.Close(t.Context()))
		wg.Wait()
		if took := time.Since(begin); took != 0 || ok.Load() != 100 || counted(next.Events()) != 100 {
			t.Errorf("after %v: %d writes succeeded, the counts add up to %d, want 100", took, ok.Load(), counted(next.Events()))
		}
		if class, _ := driver.ClassOf(next.Write(t.Context(), blocked("run-7", ""))); class != auditing.ClassClosed {
			t.Error("the next sink is open still")
		}
	})
}

func TestCloseEndsWithItsContextAndCountsUnconfirmedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		must(t, sink.Write(t.Context(), blocked("run-7", "evil.example")))
		defer next.Hang()()
		written := make(chan []error)
		go func() {
			written <- burst(t.Context(), sink, blocked("run-7", "a"), blocked("run-7", "b"), blocked("run-7", "c"))
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := sink.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 writes under way and the 3 events collapsed in them stay unconfirmed") {
			t.Errorf("Close: %v", err)
		}
		for _, err := range <-written {
			if err == nil {
				t.Error("a writer whose summary hangs got nil")
			}
		}
	})
}
