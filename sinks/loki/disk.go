package loki

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/paddock-dev/audit/auditing"
)

// onDisk returns nil once the event that w has just stored stays whatever happens
// to the server's process.
func (s *Sink) onDisk(ctx context.Context, w *writing) error {
	if s.disk == nil {
		return nil // the answer has said so
	}
	answered := time.Now()
	s.mu.Lock()
	if errors.Is(w.ended, errGaveUp) {
		w.ended = nil // the answer came in time
	}
	w.in.remove(w)
	s.ongoing.settling.push(w)
	s.mu.Unlock()
	ctx, cancel := s.context(ctx, w)
	defer cancel()
	err := s.disk.await(ctx, answered)
	if errors.Is(err, errClosing) {
		return auditing.WithClass(auditing.ClassClosed, err)
	}
	return err
}

// disk finds out whether what VictoriaLogs has answered has reached its disk. The
// server writes its memory to disk at intervals and does not say when it has; so
// what is asked is how long it has been running, when enough of them are over.
type disk struct {
	client   *client
	retryFor time.Duration

	// takes is how long what the server has answered may take to its disk, with
	// this flush interval. Tests shorten it.
	takes func(flush time.Duration) time.Duration

	asking *semaphore.Weighted // held by the one who asks for all
	last   state               // guarded by asking
}

func newDisk(c *client, retryFor time.Duration) *disk {
	return &disk{client: c, retryFor: retryFor, takes: toDisk, asking: semaphore.NewWeighted(1)}
}

// toDisk is how long VictoriaLogs may take. It collects rows for up to 1 s; they
// are due an interval later, and are looked for once in each interval. A look
// passes over rows that are just being merged, so it may take one more. The last
// second is for the writing.
func toDisk(flush time.Duration) time.Duration { return 3*flush + 2*time.Second }

// await returns nil once what was answered at that time is on the server's disk.
func (d *disk) await(ctx context.Context, answered time.Time) error {
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
	if ran := now.told.Sub(answered); now.uptime < ran {
		return fmt.Errorf("the server answered 204, and %s later it has been running for only %s: "+
			"it may have lost the event with its memory, and writing the event again is harmless", ran.Round(time.Millisecond), now.uptime)
	}
	return nil
}

// state returns what the server says when it is asked at that time or later, or
// has said when it was asked for another write.
func (d *disk) state(ctx context.Context, at time.Time) (state, error) {
	if err := pause(ctx, time.Until(at)); err != nil {
		return state{}, err
	}
	if d.asking.Acquire(ctx, 1) != nil {
		return state{}, context.Cause(ctx)
	}
	defer d.asking.Release(1)
	until := time.Now().Add(d.retryFor)
	for backoff := firstBackoff; d.last.asked.IsZero() || d.last.asked.Before(at); backoff = min(2*backoff, maxBackoff) {
		s, err := d.client.state(ctx)
		switch {
		case err == nil:
			d.last = s
			return s, nil
		case ctx.Err() != nil:
			return state{}, context.Cause(ctx)
		case time.Now().After(until):
			return state{}, err
		}
		if err := pause(ctx, backoff); err != nil {
			return state{}, err
		}
	}
	return d.last, nil
}

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
