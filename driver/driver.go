package driver

import (
	"context"

	"github.com/paddock-dev/audit/auditing"
)

// Driver is a destination for audit events, or a stage in front of one, as its
// author writes it. New makes an auditing.Sink of it.
//
// What a Driver promises:
//
//   - Store, Check and Close are safe for concurrent use.
//   - An outcome of nil means that the event is safe at Info's level.
//   - It keeps neither the slice of events nor changes it: others read the same one.
//     The events themselves never change, and may be kept.
//   - Store returns soon after ctx ends. Events may be stored all the same.
//   - The same event stored twice is one event, as Info.Repeats says.
//   - After Close, Store fails at once with auditing.ClassClosed.
//
// What it may rely on: every event is valid, named, labelled and within the bounds
// of the schema, and there is at least one. A panic of Store becomes an error of
// all its events, each error becomes an *auditing.WriteError that names the driver
// and the event, and writes are timed and counted; a Driver does none of that.
type Driver interface {
	// Info is constant. It is asked for once, when a Sink or a stage is made.
	Info() Info
	// Store stores events. It returns nil when all are stored, and otherwise a new
	// slice with the outcome of each. It returns the raw cause of a failure, marked
	// with Permanent, RetryAfter or WithClass where the default of ClassOf is wrong.
	Store(ctx context.Context, events []*Event) []error
	// Check asks the destination whether it is there and takes events, without
	// storing one.
	Check(ctx context.Context) error
	// Close releases what the Driver holds. It waits for what is under way until ctx
	// ends; its error says what stayed unconfirmed. Closing twice is harmless.
	Close(ctx context.Context) error
}

// Info is what a Driver says of itself.
type Info struct {
	// Name stands in errors and metrics: "kube". One word of few.
	Name string
	// Chain prints the driver and what stands behind it, on one line:
	// "retry(kube)". Name when empty.
	Chain string
	// Component, when not empty, is the component of every event: Write stamps it as
	// the label paddock.dev/component. A stage takes it from Component.
	Component string
	// Level is what an outcome of nil means.
	Level auditing.Level
	// Namespaced refuses events without a namespace, before anything is stored.
	Namespaced bool
	// Redacts says that the driver, or a driver behind it, calls Event.Redacted. An event
	// then keeps its long texts whole, beside the shortened ones. A stage that starts from
	// the Info of its next driver passes it on.
	Redacts bool
	// Batch is how many events one Store takes well at most; 0 for any number. A
	// stage with a backlog hands on as many.
	Batch int
	// Repeats says what becomes of an event that is stored a second time.
	Repeats Repeats
}

// Repeats says what becomes of an event that is stored a second time.
type Repeats int

const (
	// RepeatsFolded: the destination may hold it twice, and readers take records of
	// one name for one event.
	RepeatsFolded Repeats = iota
	// RepeatsRecognised: the destination holds it once.
	RepeatsRecognised
)

// Base is embedded by a Driver that has nothing to check and nothing to release. What
// Store promises after Close stays its own to keep; Gate does that.
type Base struct{}

// Check returns nil.
func (Base) Check(context.Context) error { return nil }

// Close returns nil.
func (Base) Close(context.Context) error { return nil }
