package drain_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// options have room for everything that a measurement writes.
func options() spool.Options {
	return spool.Options{Component: bench.Component, MaxBytes: 1 << 40}
}

// away is a destination that does not answer.
type away struct{ driver.Base }

func (away) Info() driver.Info { return driver.Info{Name: "away", Batch: 1} }

func (away) Store(ctx context.Context, events []*driver.Event) []error {
	<-ctx.Done()
	return driver.All(len(events), ctx.Err())
}

// counter is a destination that waits for open to be closed, and closes reached when it has taken want events.
type counter struct {
	driver.Driver

	want          int64
	open, reached chan struct{}
	stored        atomic.Int64
}

func (c *counter) Store(ctx context.Context, events []*driver.Event) []error {
	<-c.open
	errs := c.Driver.Store(ctx, events)
	n := int64(len(events))
	for _, err := range errs {
		if err != nil {
			n--
		}
	}
	if now := c.stored.Add(n); now >= c.want && now-n < c.want {
		close(c.reached)
	}
	return errs
}

// fill leaves b.N events in the spool in dir, and returns how many bytes they take.
func fill(b *testing.B, dir, namespace string) (size int64) {
	s, err := spool.New(dir, driver.New(away{}), options())
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1024
	var left atomic.Int64
	left.Store(int64(b.N))
	var fillers errgroup.Group
	for range 4 { // while one waits for the disk, the others prepare
		fillers.Go(func() error {
			for n := left.Add(-batch) + batch; n > 0; n = left.Add(-batch) + batch {
				events := prepare(b, namespace, int(min(n, batch)))
				if errs := driver.Of(s).Store(b.Context(), events); errs != nil {
					return errors.Join(errs...)
				}
			}
			return nil
		})
	}
	if err := fillers.Wait(); err != nil {
		b.Fatal(err)
	}
	abandon(b, s)
	sum, err := spool.Stats(dir)
	if err != nil || sum.Depth != int64(b.N) {
		b.Fatalf("%d events wait, want %d (%v)", sum.Depth, b.N, err)
	}
	return sum.Bytes
}

// prepare returns n events as a spool gets them.
func prepare(tb testing.TB, namespace string, n int) []*driver.Event {
	events := make([]*driver.Event, n)
	for i := range events {
		ae := bench.NewCredential()
		ae.Namespace = namespace
		var err error
		if events[i], err = driver.Prepare(ae, bench.Component); err != nil {
			tb.Error(err) // from any goroutine
		}
	}
	return events
}

// abandon closes a spool that is not empty, and waits until its directory is free.
func abandon(b *testing.B, s *spool.Sink) {
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	_ = s.Close(ended) // says how much is left
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		b.Fatal(err)
	}
}
