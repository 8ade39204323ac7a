package multi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const (
	// sinkName stands in errors and metrics.
	sinkName = "multi"

	defaultStragglerTimeout = 30 * time.Second
	defaultMaxStragglers    = 1024
)

// Child is one of the sinks that a Sink writes to.
type Child struct {
	// Name stands in errors and in Named. The sink as auditing.Chain prints it
	// when empty. No two children have the same.
	Name string
	// Sink to write to.
	Sink auditing.Sink
	// Timeout of each write to this child; none of its own when 0.
	Timeout time.Duration
}

// Options of New. The zero value requires all children.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value.
	Component string
	// Require says which children have to succeed; All when zero.
	Require Policy
	// StragglerTimeout bounds how long a child may go on after Write has returned
	// nil, when the caller's context has no deadline to bound it; 30 s when 0.
	StragglerTimeout time.Duration
	// MaxStragglers is how many writes to one child may still be under way after
	// their Write has returned; 1,024 when 0. Beyond it the child fails at once
	// with ClassFull, so that one that hangs for ever and ignores its context
	// holds that many events in memory and no more.
	MaxStragglers int
	// OnFailure hears of every failed write to a child that the error of Write
	// did not report: because the requirement was met all the same, or because
	// the child failed later. It is called from any goroutine, also before Write
	// returns, and must not block. event is the event's namespace/name. May be nil.
	OnFailure func(child, event string, err error)
}

// Sink writes every event to all of its children at once. Make one with New; it
// is safe for concurrent use.
type Sink struct {
	opts     Options
	children []*child
	require  requirement
	shares   bool               // there are children that only read
	send     auditing.Transport // a method value that every Write would allocate

	mu         sync.RWMutex
	closed     bool
	stragglers map[*fan]struct{} // those that outlived their Write
}

type child struct {
	name      string
	sink      auditing.Sink
	timeout   time.Duration
	readsOnly bool

	active     sync.WaitGroup // writes under way
	stragglers atomic.Int64   // those that outlived their Write
}

// New returns a Sink over children. It refuses to have none, a nil one, two of
// one name, and a requirement that they cannot meet.
func New(children []Child, opts Options) (*Sink, error) {
	if len(children) == 0 {
		return nil, errors.New("multi: there are no children: give at least one sink to write to")
	}
	if opts.StragglerTimeout < 0 || opts.MaxStragglers < 0 {
		return nil, errors.New("multi: StragglerTimeout and MaxStragglers must be at least 0")
	}
	if opts.StragglerTimeout == 0 {
		opts.StragglerTimeout = defaultStragglerTimeout
	}
	if opts.MaxStragglers == 0 {
		opts.MaxStragglers = defaultMaxStragglers
	}
	s := &Sink{opts: opts, stragglers: map[*fan]struct{}{}}
	s.send = s.fanOut
	for i, c := range children {
		if c.Sink == nil {
			return nil, fmt.Errorf("multi: the sink of child %d (%q) is nil: give it one", i, c.Name)
		}
		if c.Timeout < 0 {
			return nil, fmt.Errorf("multi: the timeout of child %d (%q) must be at least 0", i, c.Name)
		}
		if c.Name == "" {
			c.Name = auditing.Chain(c.Sink)
		}
		if slices.ContainsFunc(s.children, func(other *child) bool { return other.name == c.Name }) {
			return nil, fmt.Errorf("multi: two children are named %q: give each a name of its own", c.Name)
		}
		readsOnly := auditing.ReadsOnly(c.Sink)
		s.shares = s.shares || readsOnly
		s.children = append(s.children, &child{name: c.Name, sink: c.Sink, timeout: c.Timeout, readsOnly: readsOnly})
	}
	var err error
	s.require, err = opts.Require.over(s.children)
	if err != nil {
		return nil, err
	}
	return s, nil
}

var errClosed = errors.New("the fan-out is closed")

// Write writes ae to all children at once, and returns nil as soon as those that
// have to succeed have done so. When the requirement cannot be met any more it
// waits for the rest all the same, so that its error, an *Error within the
// *auditing.WriteError, is complete. When ctx ends first, Write returns at once:
// the error then names the children that are still at it, whose contexts have
// ended with ctx.
//
// The class is permanent when another attempt could not meet the requirement,
// timeout when ctx ended, and transient otherwise, with the longest pause that a
// child asked for.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	target := auditing.Target{Sink: sinkName, Component: s.opts.Component, Stage: true, Keep: s.shares}
	return auditing.Deliver(ctx, target, ae, s.send)
}

// Level returns what a successful Write guarantees, whichever children it was
// that succeeded: with All the highest level among the children, with Any the
// lowest, with AtLeast(n) the n-th lowest, with Named the highest of the named.
func (s *Sink) Level() auditing.Level {
	var levels []auditing.Level
	for i, c := range s.children {
		if s.require.counts[i] {
			levels = append(levels, auditing.LevelOf(c.sink))
		}
	}
	slices.Sort(levels)
	return levels[s.require.need-1]
}

// ReadsOnly returns true: children that change their event get a copy of it.
func (s *Sink) ReadsOnly() bool { return true }

// String prints the requirement and the children: "multi(all)[kube, log(stderr)]".
func (s *Sink) String() string {
	chains := make([]string, len(s.children))
	for i, c := range s.children {
		chains[i] = auditing.Chain(c.sink)
	}
	return sinkName + "(" + s.opts.Require.String() + ")[" + strings.Join(chains, ", ") + "]"
}
