package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	sinkName = "spool"

	defaultMaxBytes       = 1 << 30
	minMaxBytes           = 1 << 20
	defaultSegmentBytes   = 4 << 20
	minSegmentBytes       = 1 << 10
	maxSegmentBytes       = 64 << 20
	defaultParallel       = 1
	defaultAttemptTimeout = 30 * time.Second
	defaultMinBackoff     = 100 * time.Millisecond
	defaultMaxBackoff     = 30 * time.Second
)

// FullPolicy says what Write does when a bound is reached.
type FullPolicy int

const (
	// FailWhenFull makes Write fail at once with auditing.ClassFull.
	FailWhenFull FullPolicy = iota
	// BlockWhenFull makes Write wait for room until its context ends, and then
	// fail with auditing.ClassFull.
	BlockWhenFull
)

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. That of the next sink when empty.
	Component string

	// MaxBytes bounds the events that wait and the dead letters, in bytes on the
	// disk. 1 GiB when 0, at least 1 MiB. Files of delivered events may take up to
	// one SegmentBytes more, and another one for each event that is set aside.
	MaxBytes int64
	// MaxAge bounds how long the oldest event may have waited: one that is set aside
	// counts, a dead letter does not. Beyond it the spool counts as full: nothing is ever dropped for its age. No
	// bound when 0.
	MaxAge time.Duration
	// WhenFull says what Write does at a bound. FailWhenFull when zero.
	WhenFull FullPolicy

	// SegmentBytes is the size at which a new file is begun; a file is removed
	// when all of its events are delivered, and the sender holds one in memory.
	// 4 MiB when 0, from 1 KiB to 64 MiB.
	SegmentBytes int64

	// Parallel is how many batches may be on their way to the next sink at once. 1
	// when 0: one after the other, in order. With more, a destination that confirms
	// slowly is fed faster, and the order among those batches is not kept. Together
	// they hold about 4 MiB of records, and 64 KiB each at least. Events that are set
	// aside are sent beside them, up to 16 at once.
	Parallel int
	// AttemptTimeout bounds each request to the next sink, whatever number of events
	// it has. 30 s when 0.
	AttemptTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause after a write that failed, which
	// doubles, with jitter, from the one to the other: 100 ms and 30 s when 0. A
	// longer pause that the destination asks for is kept, up to 10 minutes.
	MinBackoff, MaxBackoff time.Duration

	// OnFailure hears of every event that the next sink failed to store, each time
	// it does, and of other trouble on the way there. event is namespace/name, or "" where no event is
	// concerned. When the event became a dead letter, err is a *DeadLetterError.
	// Called from any goroutine; delivery waits for it. May be nil.
	OnFailure func(event string, err error)
	// OnDamage hears of bytes on the disk that hold no event any more. New calls
	// it for what a crash left; later it is called from any goroutine, and delivery
	// waits for it. May be nil.
	OnDamage func(Damage)

	// Name is the value of the label spool of the metrics. The next sink as
	// auditing.Chain prints it when empty. No two open spools of one Registerer
	// have the same.
	Name string
	// Registerer takes the metrics paddock_audit_spool_* until Close. nil for none.
	Registerer prometheus.Registerer

	disk disk // the real one when nil
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxBytes, defaultMaxBytes)
	setDefault(&o.SegmentBytes, defaultSegmentBytes)
	setDefault(&o.Parallel, defaultParallel)
	setDefault(&o.AttemptTimeout, defaultAttemptTimeout)
	setDefault(&o.MinBackoff, defaultMinBackoff)
	setDefault(&o.MaxBackoff, max(defaultMaxBackoff, o.MinBackoff))
	if o.OnFailure == nil {
		o.OnFailure = func(string, error) {}
	}
	if o.OnDamage == nil {
		o.OnDamage = func(Damage) {}
	}
	if o.disk == nil {
		o.disk = realDisk{}
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate names every option that is wrong.
func (o Options) validate() error {
	var errs []error
	if o.MaxBytes < minMaxBytes {
		errs = append(errs, fmt.Errorf("MaxBytes: must be at least %d", minMaxBytes))
	}
	if o.MaxAge < 0 {
		errs = append(errs, errors.New("MaxAge: must not be negative"))
	}
	if o.WhenFull != FailWhenFull && o.WhenFull != BlockWhenFull {
		errs = append(errs, errors.New("WhenFull: must be FailWhenFull or BlockWhenFull"))
	}
	if o.SegmentBytes < minSegmentBytes || o.SegmentBytes > maxSegmentBytes {
		errs = append(errs, fmt.Errorf("SegmentBytes: must be from %d to %d", minSegmentBytes, maxSegmentBytes))
	}
	if o.Parallel < 1 {
		errs = append(errs, errors.New("Options.Parallel: must be at least 1"))
	}
	if o.AttemptTimeout < 0 {
		errs = append(errs, errors.New("AttemptTimeout: must not be negative"))
	}
	if o.MinBackoff < 0 || o.MaxBackoff < o.MinBackoff {
		errs = append(errs, errors.New("MinBackoff: must be from 0 to MaxBackoff"))
	}
	return errors.Join(errs...)
}
