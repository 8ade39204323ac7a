package driver_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Limit has a number of requests of its next sink under way at most. Others wait for
// their turn.
type Limit struct{ driver.Sink }

// NewLimit makes the stage. Close closes next as well.
func NewLimit(next auditing.Sink, n int) (*Limit, error) {
	if next == nil || n < 1 {
		return nil, errors.New("limit: give it a next sink, and a number of at least 1")
	}
	l := &limit{Driver: driver.Of(next), turns: make(chan struct{}, n), closed: make(chan struct{})}
	l.info = l.Driver.Info() // what it says of itself is what the next one says
	l.info.Name, l.info.Chain = "limit", "limit("+l.info.Chain+")"
	return &Limit{driver.New(l)}, nil
}

type limit struct {
	driver.Driver // the next one, whose Check is ours

	info   driver.Info
	turns  chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *limit) Info() driver.Info { return l.info }

func (l *limit) Store(ctx context.Context, events []*driver.Event) []error {
	select {
	case l.turns <- struct{}{}:
		defer func() { <-l.turns }()
		return l.Driver.Store(ctx, events)
	case <-l.closed:
		return driver.All(len(events), driver.WithClass(auditing.ClassClosed, errors.New("closed")))
	case <-ctx.Done():
		return driver.All(len(events), fmt.Errorf("no turn yet: %w", ctx.Err()))
	}
}

func (l *limit) Close(ctx context.Context) error {
	l.once.Do(func() { close(l.closed) })
	return l.Driver.Close(ctx)
}

// A stage hands events on to another driver as they are. 42 lines.
func Example_stage() {
	sink, err := NewLimit(auditing.NoopSink{}, 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})
	fmt.Println(sink, sink.Level(), sink.Write(context.Background(), ae))
	// Output: limit(noop) none <nil>
}
