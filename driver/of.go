package driver

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/names"
)

// Literal is a Sink that callers make as a struct literal, as in kube.Sink{Client: c},
// and not with a New function that could give it a Driver.
type Literal interface {
	auditing.Sink
	// Driver returns the Driver behind the literal, and the literal itself. Of
	// compares the literal's type, because a type that embeds it may have its own Write.
	Driver() (d Driver, literal auditing.Sink)
}

// Of returns the Driver behind s, for a stage to hand events to: timed and counted,
// guarded against panics, and with a *auditing.WriteError for each event that
// fails. A Sink that knows nothing of this package gets each event as an object of
// its own. Of is called when a stage is made, and not in Store. It returns nil for
// nil.
func Of(s auditing.Sink) Driver {
	switch s := s.(type) {
	case nil:
		return nil
	case auditing.NoopSink:
		return newLink(noop{})
	case Literal:
		if d, literal := s.Driver(); sameType(s, literal) {
			return newLink(d)
		}
	case withRules:
		return newLink(newRuled(s))
	case interface{ behind() *link }:
		if embedsSink(reflect.TypeOf(s)) {
			return s.behind()
		}
	}
	return newLink(newForeign(s))
}

func sameType(a, b auditing.Sink) bool { return value(reflect.TypeOf(a)) == value(reflect.TypeOf(b)) }

// value returns what t points to, or t itself.
func value(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// embedsSink reports that t is Sink or embeds Sink directly. A type that embeds such a
// type may have a Write of its own.
func embedsSink(t reflect.Type) bool {
	sink := reflect.TypeFor[Sink]()
	t = value(t)
	if t == sink {
		return true
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == sink {
			return true
		}
	}
	return false
}

// Component returns the component of a stage: own, or where that is empty the one
// that the drivers behind it have. The error says when they name two components, or when own is
// not a label value.
func Component(own string, next ...Driver) (string, error) {
	if !names.IsLabelValue(own) {
		return "", fmt.Errorf("the component %q is no label value: at most 63 letters, digits, dashes, dots and underscores", own)
	}
	component, of := own, "the stage"
	for _, d := range next {
		info := d.Info()
		switch {
		case info.Component == "" || info.Component == component:
		case component == "":
			component, of = info.Component, info.Chain
		default:
			return "", fmt.Errorf("two components: %s writes for %q, and %s for %q: name one, and leave it out behind it",
				of, component, info.Chain, info.Component)
		}
	}
	return component, nil
}

type noop struct{ Base }

func (noop) Info() Info                              { return Info{Name: "noop"} }
func (noop) Store(context.Context, []*Event) []error { return nil }

// foreign makes a Driver of a Sink that knows nothing of this package.
type foreign struct {
	sink auditing.Sink
	info Info
}

func newForeign(s auditing.Sink) *foreign {
	name := strings.TrimPrefix(fmt.Sprintf("%T", s), "*")
	return &foreign{sink: s, info: Info{Name: name, Chain: auditing.Chain(s), Level: auditing.LevelOf(s), Batch: foreignBatch}}
}

// foreignBatch is how many events a plain Sink is given at once, each by a goroutine.
const foreignBatch = 16

func (f *foreign) Info() Info { return f.info }

func (f *foreign) Store(ctx context.Context, events []*Event) []error {
	return Parallel(ctx, foreignBatch, events, func(ctx context.Context, e *Event) error {
		ae := e.Object()
		defer lend(ae)()
		return f.sink.Write(ctx, ae)
	})
}

func (f *foreign) Check(ctx context.Context) error { return auditing.Check(ctx, f.sink) }
func (f *foreign) Close(ctx context.Context) error { return auditing.Close(ctx, f.sink) }

// lent holds the objects that are in the hands of plain sinks, which do not know this
// package. When such a sink passes its object to a Sink of this package, that one does
// not count the event a second time.
var lent struct {
	n       atomic.Int64
	objects sync.Map
}

// lend notes that a plain sink has ae, until end is called.
func lend(ae *v1alpha1.AuditEvent) (end func()) {
	lent.objects.Store(ae, nil)
	lent.n.Add(1)
	return func() {
		lent.objects.Delete(ae)
		lent.n.Add(-1)
	}
}

func isLent(ae *v1alpha1.AuditEvent) bool {
	if lent.n.Load() == 0 { // always so in most programs
		return false
	}
	_, ok := lent.objects.Load(ae)
	return ok
}

// Named returns next under another name, for what a stage writes itself: its calls are
// counted, and its errors named, apart from those of events that pass through.
func Named(next Driver, name string) Driver {
	info := next.Info()
	info.Name = name
	return Of(New(named{next, info}))
}

type named struct {
	Driver

	info Info
}

// Info is that of the driver, but for the name.
func (n named) Info() Info { return n.info }
