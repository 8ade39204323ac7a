package batcher_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

// collector is a destination whose requests take many events. In this example the server is a
// function that takes the bodies of several events, and refuses more than two of them.
type collector struct {
	driver.Base
	batches *batcher.Batcher[*driver.Event]
	queue   *batcher.Queue[*driver.Event]
	post    func(bodies [][]byte) error
}

func newCollector(post func(bodies [][]byte) error) (*collector, error) {
	batches, err := batcher.New(batcher.Options[*driver.Event]{
		Size: func(e *driver.Event) int { return len(e.JSON()) },
		Name: (*driver.Event).Ref,
	})
	if err != nil {
		return nil, err
	}
	c := &collector{batches: batches, post: post}
	c.queue = batches.Queue(c.send)
	return c, nil
}

func (*collector) Info() driver.Info {
	return driver.Info{Name: "collector", Level: auditing.LevelAcknowledged, Batch: 500}
}

func (c *collector) Store(ctx context.Context, events []*driver.Event) []error {
	return c.queue.Store(ctx, events)
}

// send sends one request.
func (c *collector) send(_ context.Context, events []*driver.Event) []error {
	var bodies [][]byte
	for _, e := range events {
		bodies = append(bodies, e.JSON())
	}
	err := c.post(bodies)
	if errors.Is(err, errTooLarge) {
		err = batcher.Again(driver.Permanent(err))
	}
	return driver.All(len(events), err)
}

var errTooLarge = errors.New("413: too large")

func (c *collector) Close(ctx context.Context) error { return c.batches.Close(ctx) }

func Example() {
	c, err := newCollector(func(bodies [][]byte) error {
		if len(bodies) > 2 {
			return errTooLarge
		}
		fmt.Println("a request of", len(bodies))
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	var events []*driver.Event
	for range 4 {
		e, err := driver.Prepare(auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}), "")
		if err != nil {
			fmt.Println(err)
			return
		}
		events = append(events, e)
	}
	fmt.Println(c.Store(ctx, events), c.Close(ctx))
	// Output:
	// a request of 2
	// a request of 2
	// [] <nil>
}
