package auditing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/hooks"
)

// Sink is a destination for audit events, or a stage in front of one.
//
// What a Sink promises:
//
//   - nil from Write means that the event is safe at the sink's level (see Level).
//   - Every error satisfies errors.Is(err, ErrAuditWrite), unwraps to its cause,
//     and holds a *WriteError that names the sink, the event and the class.
//   - Write is safe for concurrent use, and keeps nothing of the event once it
//     has returned.
//   - Write may fill in metadata: the name, the labels, the annotation with the
//     exact time. It never changes what was decided. Text too long for the
//     destination is shortened visibly there; it is never the reason that an
//     event is lost.
//   - The same event written twice is one event at the destination.
//   - Write returns soon after ctx ends. The event may be stored all the same,
//     and writing it again finds out.
//
// What a caller promises: it leaves the event alone while Write runs, does not
// write one event from two goroutines at once, and changes nothing in spec
// between two writes of the same event.
type Sink interface {
	Write(ctx context.Context, ae *v1alpha1.AuditEvent) error
}

// Closer is what a Sink with something to release has as well. After Close,
// Write fails at once with ClassClosed. Close waits for writes under way until
// ctx ends and its error says what stayed unconfirmed. Closing twice is harmless.
type Closer interface {
	Close(ctx context.Context) error
}

// Close closes s if it is a Closer, and does nothing otherwise.
func Close(ctx context.Context, s Sink) error {
	if c, ok := s.(Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

// Check asks s whether its destination is there and takes events, where s can tell:
// at the start of a program, before the first event. Nothing is stored.
func Check(ctx context.Context, s Sink) error {
	if c, ok := s.(interface{ Check(context.Context) error }); ok {
		return c.Check(ctx)
	}
	return nil
}

// Level says what nil from a sink's Write means. Higher is safer.
type Level int

const (
	// LevelNone promises nothing: the event may be gone, as with NoopSink and
	// FailOpen. It is also the level of a sink that states none.
	LevelNone Level = iota
	// LevelAccepted: the event is in memory, or with the operating system, and
	// is lost with the process or the machine.
	LevelAccepted
	// LevelDurable: the event is on the local disk, fsynced.
	LevelDurable
	// LevelAcknowledged: the destination has confirmed that it stored the event.
	LevelAcknowledged
)

var levelNames = []string{LevelNone: "none", LevelAccepted: "accepted", LevelDurable: "durable", LevelAcknowledged: "acknowledged"}

// String returns the level's name in lower case.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("level(%d)", int(l))
	}
	return levelNames[l]
}

// UnmarshalText reads the name of a level, as String returns it.
func (l *Level) UnmarshalText(name []byte) error {
	i := slices.Index(levelNames, string(name))
	if i < 0 {
		return errors.New("is no level: want none, accepted, durable or acknowledged")
	}
	*l = Level(i)
	return nil
}

// LevelOf returns the level that s states with a method Level() Level. For a
// stage it is the level of the whole chain behind it.
func LevelOf(s Sink) Level {
	level := LevelNone
	if l, ok := s.(interface{ Level() Level }); ok {
		_ = hooks.Call("Level", func() { level = l.Level() }) // it is logged
	}
	return level
}

// Chain prints s and what stands behind it, for the line that a component logs
// at its start: "multi(all)[kube, retry(loki)]". A sink states its part with
// String() string; a sink without that method, or whose method panics, is printed as
// its type.
func Chain(s Sink) string {
	chain := fmt.Sprintf("%T", s)
	if str, ok := s.(fmt.Stringer); ok {
		_ = hooks.Call("String of "+chain, func() { chain = str.String() }) // it is logged
	}
	return chain
}

// NoopSink drops every event and says that it was written. It is for tests that
// do not look at the trail and for programs run without any destination. Its
// zero value is ready; its level is LevelNone.
type NoopSink struct{}

// Write returns nil and leaves the event as it is.
func (NoopSink) Write(context.Context, *v1alpha1.AuditEvent) error { return nil }

// Level returns LevelNone.
func (NoopSink) Level() Level { return LevelNone }

// String returns "noop".
func (NoopSink) String() string { return "noop" }
