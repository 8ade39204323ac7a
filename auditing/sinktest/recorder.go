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

// Recorder is a Sink for tests of code that writes events. It keeps the events in
// memory, and fails, hangs or panics when a test tells it to. It keeps the whole
// contract of auditing.Sink: an invalid event is an error, an event that is written twice
// is stored once, and another event with the same name is a permanent error.
//
// The zero value is ready for use. All methods are safe for concurrent use, also while
// writes are under way. A Recorder must not be copied.
type Recorder struct {
	mu       sync.Mutex
	events   []*driver.Event // in the order in which they were stored
	byName   map[string]*driver.Event
	failErr  error
	failLeft int // how many more writes fail; below 0 for all
	panicked any
	held     chan struct{} // not nil while the recorder hangs; closed by release
	closed   bool
	underWay int
	drained  chan struct{} // made by a Close that waits; closed when the last write ends
}

// Write records ae, or fails, hangs or panics if the recorder was told to.
func (r *Recorder) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	r.mu.Lock()
	v := r.panicked
	r.mu.Unlock()
	if v != nil {
		panic(v) // not in Store, whose panic would become an error
	}
	return driver.Write(ctx, recording{r}, ae)
}

// Driver returns the driver that a stage passes events to.
func (r *Recorder) Driver() (driver.Driver, auditing.Sink) { return recording{r}, r }

// recording is the driver of a Recorder.
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

// wait unlocks the recorder until held is closed or ctx ends.
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

// Events returns copies of the recorded events in the order in which they were recorded.
// They are as a destination holds them: they have names and labels, and long texts are
// shortened.
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
// The class is auditing.ClassTransient, unless err has a class, as from driver.Permanent.
func (r *Recorder) FailWith(err error) {
	if err == nil {
		r.FailNext(0, nil)
		return
	}
	r.FailNext(-1, err)
}

// FailNext makes the next n writes fail with err as their cause. Later writes succeed.
// A call of FailNext or FailWith replaces the call before it.
func (r *Recorder) FailNext(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLeft, r.failErr = n, err
}

// Hang makes every Write wait until release is called or the context of the Write ends.
// After release, the writes that waited are recorded, or fail if FailWith says so.
// Calling release again does nothing.
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

// Reset makes the recorder empty, open and without faults, as a new one is. It releases
// writes that hang.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release(r.held)
	r.events, r.byName = nil, nil
	r.failLeft, r.failErr, r.panicked = 0, nil, nil
	r.closed = false
}

// Close makes later writes fail with auditing.ClassClosed, and waits for the writes under
// way. When ctx ends first, the error says how many of them are left. Events returns the
// recorded events after Close as well.
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

// Level returns auditing.LevelAccepted, because the events are in memory.
func (r *Recorder) Level() auditing.Level { return auditing.LevelAccepted }

// String returns "recorder".
func (r *Recorder) String() string { return "recorder" }
