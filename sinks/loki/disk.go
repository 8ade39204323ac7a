package loki

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
)

// disk finds out whether what VictoriaLogs has answered has reached its disk. The
// server writes its memory to disk at intervals and does not say when it has; so
// what is asked is how long it has been running, when enough of them are over.
type disk struct {
	client  *client
	timeout time.Duration // for the server to say something

	// takes is how long what the server has answered may take to its disk, with
	// this flush interval. Tests shorten it.
	takes func(flush time.Duration) time.Duration

	asking *semaphore.Weighted // held by the one who asks for all
	last   state               // guarded by asking
}

func newDisk(c *client, timeout time.Duration) *disk {
	return &disk{client: c, timeout: timeout, takes: toDisk, asking: semaphore.NewWeighted(1)}
}

// toDisk is how long VictoriaLogs may take. It collects rows for up to 1 s; they
// are due an interval later, and are looked for once in each interval. A look
// passes over rows that are just being merged, so it may take one more. The last
// second is for the writing.
func toDisk(flush time.Duration) time.Duration { return 3*flush + 2*time.Second }

// await returns nil once what was sent from begun on, and answered by then, is on
// the server's disk.
func (d *disk) await(ctx context.Context, begun, answered time.Time) error {
	now, err := d.state(ctx, time.Time{})
	if err != nil {
		return fmt.Errorf("the server answered 204, and when its disk has the event is unknown; writing it again is harmless: %w", err)
	}
	for {
		due := answered.Add(d.takes(now.flush))
		if !now.asked.Before(due) {
			break
		}
		next, err := d.state(ctx, due)
		if err != nil {
			return fmt.Errorf("the server answered 204, and its disk may take %s to have the event, of which %s are over; writing it again is harmless: %w",
				d.takes(now.flush), time.Since(answered).Round(time.Millisecond), err)
		}
		now = next
	}
	if ran := now.told.Sub(begun); now.uptime < ran {
		return fmt.Errorf("the server answered 204, and %s after it was sent the event it has been running for only %s: "+
			"it may have lost the event with its memory, and writing the event again is harmless", ran.Round(time.Millisecond), now.uptime)
	}
	return nil
}

// state returns what the server says when it is asked at that time or later, or
// has said when it was asked for another write. While the server does not answer
// it is asked again, for that is how to find out what became of the events.
func (d *disk) state(ctx context.Context, at time.Time) (state, error) {
	if err := pause(ctx, time.Until(at)); err != nil {
		return state{}, marked(ctx, err)
	}
	if d.asking.Acquire(ctx, 1) != nil {
		return state{}, marked(ctx, context.Cause(ctx))
	}
	defer d.asking.Release(1)
	asking, cancel := context.WithTimeoutCause(ctx, d.timeout, errSlow)
	defer cancel()
	for again := firstAgain; d.last.asked.IsZero() || d.last.asked.Before(at); again = min(2*again, maxAgain) {
		s, err := d.client.state(asking)
		if err == nil {
			d.last = s
			return s, nil
		}
		if pause(asking, again) != nil {
			return state{}, marked(ctx, err)
		}
	}
	return d.last, nil
}

// The pauses before the server is asked again.
const (
	firstAgain = 50 * time.Millisecond
	maxAgain   = time.Second
)

// pause waits, or returns why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
