package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/options"
)

// FullPolicy says what Write does when the spool is full.
type FullPolicy string

const (
	// FailWhenFull makes Write fail at once with auditing.ClassFull.
	FailWhenFull FullPolicy = "fail"
	// BlockWhenFull makes Write wait for room until its context ends, and then
	// fail with auditing.ClassFull.
	BlockWhenFull FullPolicy = "block"
)

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. That of the next sink when empty.
	Component string

	// MaxBytes bounds the events that wait and the dead letters, in bytes on the
	// disk. 1 GiB when 0, at least 1 MiB. Files of delivered events may take up to
	// one SegmentBytes more, and another one for each event that is set aside.
	MaxBytes int64 `yaml:"maxBytes" default:"1073741824" min:"1048576" max:"1125899906842624" doc:"bytes on the disk at which the spool is full"`
	// MaxAge bounds how long the oldest event may have waited. Events that are set
	// aside count, dead letters do not. Beyond it the spool counts as full: an event is
	// never dropped for its age. No bound when 0, at most 8760h.
	MaxAge time.Duration `yaml:"maxAge" max:"8760h" doc:"age of the oldest waiting event at which the spool counts as full; 0s for none"`
	// WhenFull says what Write does then. FailWhenFull when empty.
	WhenFull FullPolicy `yaml:"whenFull" default:"fail" enum:"fail,block" doc:"what a write does then: fail at once, or wait for room until its deadline"`

	// SegmentBytes is the size at which a new file is begun. A file is removed when all
	// of its events are delivered, and one is held in memory. 4 MiB when 0, from 1 KiB to
	// 64 MiB.
	SegmentBytes int64 `yaml:"segmentBytes" default:"4194304" min:"1024" max:"67108864" doc:"size at which a new file is begun"`

	// Parallel is how many batches may be on their way to the next sink at once. 1
	// when 0, at most 1000: one after the other, in order. With more, a destination that
	// confirms slowly is fed faster, and the order among those batches is not kept.
	// Together they hold about 4 MiB of records, and 64 KiB each at least. A lone one has
	// as much again read ahead. Events that are set aside are sent beside them, up to 16
	// at once.
	Parallel int `yaml:"parallel" default:"1" min:"1" max:"1000" doc:"batches on their way at once; 1 keeps the order of events"`
	// Timeout bounds each request to the next sink, however many events it holds. 30 s
	// when 0, from 1 ms to 1 h.
	Timeout time.Duration `yaml:"timeout" default:"30s" min:"1ms" max:"1h" doc:"bound of one request to the next sink"`
	// MinBackoff and MaxBackoff bound the pause after a request that failed. It doubles,
	// with jitter, from the one to the other: 100 ms and 30 s when 0, from 1 ms to 1 h. A
	// longer pause that the destination asks for is kept, up to 10 minutes.
	MinBackoff time.Duration `yaml:"minBackoff" default:"100ms" min:"1ms" max:"1h" doc:"pause after the first failure; it doubles with each"`
	MaxBackoff time.Duration `yaml:"maxBackoff" default:"30s" min:"1ms" max:"1h" doc:"longest pause"`

	// BuryAfter is how long an event is tried again that the destination refuses for a
	// reason that somebody may mend, as a missing right or resource (driver.Mendable),
	// before it becomes a dead letter. It counts from the first refusal in this process. 10
	// minutes when 0, from 1 ms to 24 h. Other refusals make a dead letter at once.
	BuryAfter time.Duration `yaml:"buryAfter" default:"10m" min:"1ms" max:"24h" doc:"how long an event is tried again that is refused for want of a right or of the resource, before it becomes a dead letter"`

	// OnFailure hears of each event that the next sink failed to store, each time it
	// does: err is the *auditing.WriteError of that sink, or a *DeadLetterError around it
	// once the event is a dead letter. It also hears of trouble with the disk, where ae is
	// nil unless an event is concerned. ctx ends when the spool gives up delivering. Called
	// from any goroutine; delivery waits for it. May be nil.
	OnFailure func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)
	// OnDamage hears of bytes on the disk that hold no event any more. Called by New and
	// from any goroutine; delivery waits for it. May be nil.
	OnDamage func(Damage)

	// Place is what a seal in front calls the next sink when it declares that an event became a
	// dead letter. The next sink as auditing.Chain prints it when empty.
	Place string
	// Name is the value of the label spool of the metrics. The next sink as
	// auditing.Chain prints it when empty. No two open spools of one Registerer
	// have the same.
	Name string
	// Registerer takes the metrics paddock_audit_spool_* until Close. nil for none.
	Registerer prometheus.Registerer

	disk disk.Disk // the real one when nil
}

// Validate names every option that is wrong.
func (o Options) Validate() error { return o.complete() }

// complete sets defaults, and says what is wrong.
func (o *Options) complete() error {
	if o.disk == nil {
		o.disk = disk.OS
	}
	err := options.Complete(o)
	if o.MaxBackoff < o.MinBackoff {
		err = errors.Join(err, options.At(*o, "MaxBackoff", "must be at least minBackoff"))
	}
	return err
}

// Damage is a stretch of a segment in which no event could be found, or a whole segment
// that the disk refused to read in part, or a file that looks like a segment and that the
// spool has not written.
type Damage struct {
	// Segment is the file, and Offset and Bytes the stretch in it.
	Segment       string
	Offset, Bytes int64
	// Torn says that it was the end of the file, or was not noted as synced: most likely a
	// write that a crash cut, and that was never confirmed. Damage to the head of the last
	// record looks the same.
	Torn bool
	// SavedAs is the file with a copy of the bytes; "" when it could not be written, and
	// then the whole segment is kept in its place.
	SavedAs string
	// Err says what is wrong, or why there is no copy. May be nil.
	Err error
}

// String says what was found and where it is kept.
func (d Damage) String() string {
	what := "damage"
	if d.Torn {
		what = "torn end"
	}
	text := fmt.Sprintf("spool: %s in %s: %d bytes at offset %d set aside", what, d.Segment, d.Bytes, d.Offset)
	if d.SavedAs != "" {
		text += " as " + d.SavedAs
	}
	if d.Err != nil {
		text += ": " + d.Err.Error()
	}
	return text
}
