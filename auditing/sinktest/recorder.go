package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var (
	errRecorderClosed = errors.New("the recorder is closed: Reset opens it again")
	errOtherContent   = errors.New("an event of this name is recorded with other content: name each event once")
)

// Recorder is a Sink for the tests of who writes events: it keeps them in
// memory, and fails, hangs or panics when told to. It keeps the whole contract
// of auditing.Sink, as a real destination does: an invalid event is an error, the
// same event twice is one, other content under its name is a permanent error.
//
// The zero value is ready. All methods may be called from several goroutines,
// faults also while writes are under way. A Recorder must not be copied.
type Recorder struct {
	mu       sync.Mutex
	events   []*driver.Event // in the order in which they were stored
	byName   map[string]*driver.Event
	failErr  error
	failLeft int // writes that still fail; always when below 0
	panicked any
	held     chan struct{} // while the recorder hangs; closed by its release
	closed   bool
	underWay int
	drained  chan struct{} // made by a Close that waits; closed by the last write
}

// Write records ae, or does what the recorder was told to do instead.
func (r *Recorder) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	r.mu.Lock()
	v := r.panicked
	r.mu.Unlock()
	if v != nil {
		panic(v) // not in Store: that would make an error of it
	}
	return driver.Write(ctx, recording{r}, ae)
}

// Driver returns what stages hand events to.
func (r *Recorder) Driver() (driver.Driver, auditing.Sink) { return recording{r}, r }

// recording is a Recorder as its author sees it.
type recording struct{ *Recorder }

func (recording) Info() driver.Info {
	return driver.Info{Name: "recorder", Level: auditing.LevelAccepted, Repeats: driver.RepeatsRecognised}
}

func (r recording) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, r.record)
}

func (recording) Check(context.Context) error { return nil }

func (r *Recorder) record(ctx context.Context, e *driver.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panicked != nil {
		panic(r.panicked)
	}
	if r.closed {
		return driver.WithClass(auditing.ClassClosed, errRecorderClosed)
	}
	r.underWay++
	defer r.done()
	for r.held != nil {
		if err := r.wait(ctx, r.held); err != nil {
			return err
		}
	}
	if r.failLeft != 0 {
		r.failLeft = max(r.failLeft-1, -1)
		return r.failErr
	}
	return r.store(e)
}

// wait gives the lock away until held is closed or ctx ends.
func (r *Recorder) wait(ctx context.Context, held <-chan struct{}) error {
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Recorder) done() {
	r.underWay--
	if r.underWay == 0 && r.drained != nil {
		close(r.drained)
		r.drained = nil
	}
}

func (r *Recorder) store(e *driver.Event) error {
	if before, ok := r.byName[e.Ref()]; ok {
		if e.Same(before.Object()) {
			return nil
		}
		return driver.Permanent(errOtherContent)
	}
	if r.byName == nil {
		r.byName = map[string]*driver.Event{}
	}
	r.byName[e.Ref()] = e
	r.events = append(r.events, e)
	return nil
}

// Events returns copies of the recorded events, in the order in which they were
// recorded, as a destination holds them: named, labelled, and shortened where
// they were too long.
func (r *Recorder) Events() []v1alpha1.AuditEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := make([]v1alpha1.AuditEvent, len(r.events))
	for i, e := range r.events {
		events[i] = *e.Object()
	}
	return events
}

// FailWith makes every Write fail with err as its cause, until FailWith(nil).
// The class is transient unless err is marked, as by driver.Permanent.
func (r *Recorder) FailWith(err error) {
	if err == nil {
		r.FailNext(0, nil)
		return
	}
	r.FailNext(-1, err)
}

// FailNext makes the next n writes fail with err as their cause, and the ones
// after them succeed. It replaces what FailWith or FailNext said before.
func (r *Recorder) FailNext(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLeft, r.failErr = n, err
}

// Hang makes every Write wait until release is called or its context ends. What
// release lets go is recorded, or fails when FailWith says so. Calling release
// again does nothing.
func (r *Recorder) Hang() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = make(chan struct{})
	}
	held := r.held
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.release(held)
	}
}

func (r *Recorder) release(held chan struct{}) {
	if held != nil && r.held == held {
		close(held)
		r.held = nil
	}
}

// PanicWith makes every Write panic with v, until PanicWith(nil).
func (r *Recorder) PanicWith(v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.panicked = v
}

// Reset makes the recorder as new: empty, open and in order. Writes that hang
// are let go.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release(r.held)
	r.events, r.byName = nil, nil
	r.failLeft, r.failErr, r.panicked = 0, nil, nil
	r.closed = false
}

// Close makes later writes fail with auditing.ClassClosed and waits for those
// under way. Its error says how many are left when ctx ends first. What is
// recorded stays.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.underWay == 0 {
		return nil
	}
	if r.drained == nil {
		r.drained = make(chan struct{})
	}
	if err := r.wait(ctx, r.drained); err != nil {
		return fmt.Errorf("closing the recorder: %d writes under way stay unconfirmed: %w", r.underWay, err)
	}
	return nil
}

// Level returns auditing.LevelAccepted: what is recorded is in memory.
func (r *Recorder) Level() auditing.Level { return auditing.LevelAccepted }

// String returns "recorder".
func (r *Recorder) String() string { return "recorder" }
