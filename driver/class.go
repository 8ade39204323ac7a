package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

// marked is an error with a class.
type marked struct {
	err   error
	class auditing.Class
	after time.Duration
}

func (m *marked) Error() string { return m.err.Error() }
func (m *marked) Unwrap() error { return m.err }

// WithClass marks err with a class, for a Driver to return from Store. It returns
// nil when err is nil.
func WithClass(class auditing.Class, err error) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, class: class}
}

// Permanent marks err as permanent: another attempt with the same event would fail
// as well.
func Permanent(err error) error { return WithClass(auditing.ClassPermanent, err) }

// mendable is an error that Mendable has marked.
type mendable struct{ marked }

// Mendable marks err as permanent because of the state of the destination and not of the
// event: a right or the resource is missing, and somebody may give it back.
// A stage that keeps events, as the spool, tries again for some time before it gives
// up; to others the error is permanent. It returns nil when err is nil.
func Mendable(err error) error {
	if err == nil {
		return nil
	}
	return &mendable{marked{err: err, class: auditing.ClassPermanent}}
}

// IsMendable reports whether Mendable has marked err, or an error in its chain.
func IsMendable(err error) bool {
	_, ok := errors.AsType[*mendable](err)
	return ok
}

// RetryAfter marks err as transient, with the pause that the destination asked
// for. It returns nil when err is nil.
func RetryAfter(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, class: auditing.ClassTransient, after: pause}
}

// Retry returns the class, and the pause that the destination asked for.
func (m *marked) Retry() (auditing.Class, time.Duration) { return m.class, m.after }

// ClassOf returns the class of an error from a Store or a Write, and the pause that
// the destination asked for; 0 for none. The outermost mark or *auditing.WriteError
// decides. Without any, an error that stems from the end of a context is
// auditing.ClassTimeout, and any other auditing.ClassTransient.
func ClassOf(err error) (auditing.Class, time.Duration) {
	var classified interface {
		Retry() (auditing.Class, time.Duration)
	}
	switch {
	case errors.As(err, &classified):
		return classified.Retry()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return auditing.ClassTimeout, 0
	}
	return auditing.ClassTransient, 0
}

// Final reports that a second attempt with the same event would fail as well.
func Final(c auditing.Class) bool {
	return c == auditing.ClassPermanent || c == auditing.ClassInvalid || c == auditing.ClassClosed
}

func panicked(r any) error {
	if err, ok := r.(error); ok {
		return Permanent(fmt.Errorf("panic: %w", err))
	}
	return Permanent(fmt.Errorf("panic: %v", r))
}
