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
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/options"
)

// sinkName stands in errors and metrics.
const sinkName = "multi"

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
	// event. It must be a label value. Where children have a component, it must be the
	// same; when empty, theirs is used.
	Component string
	// Require says which children have to succeed; All when zero.
	Require Policy
	// StragglerTimeout bounds how long a child may go on after Write has returned
	// nil, when the caller's context has no deadline to bound it; 30 s when 0.
	StragglerTimeout time.Duration `yaml:"stragglerTimeout" default:"30s" min:"1ms" max:"1h" doc:"how long one may go on after the others were enough, where there is no other deadline"`
	// MaxStragglers is how many writes to one child may still be under way after
	// their Write has returned; 1,024 when 0. Beyond that the child fails at once
	// with ClassFull, so that a child that never returns and ignores its context holds
	// about that many events in memory, beside those of the writes that were under way
	// by then.
	MaxStragglers int `yaml:"maxStragglers" default:"1024" min:"1" max:"1000000" doc:"how many such writes one of them may have"`
	// OnFailure hears of every failed write to a child that the error of Write
	// did not report: because the requirement was met all the same, or because
	// the child failed later. It is called from any goroutine, also before Write
	// returns, and must not block. err is an *auditing.WriteError whose Sink is the
	// name of the child. May be nil.
	OnFailure func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)
}

// Validate returns everything that is wrong with the options. It cannot check Require,
// because the children are not among the options. New calls it and checks Require too.
func (o Options) Validate() error { return options.Complete(&o) }

// Sink writes every event to all of its children at once. Make one with New; it
// is safe for concurrent use.
//
// Write returns nil as soon as the children that have to succeed have done so. When
// the requirement cannot be met any more it waits for the rest all the same, so that
// its error, an *Error within the *auditing.WriteError, is complete. When ctx ends
// first, Write returns at once: the error then names the children that are not done
// yet, whose contexts have ended with ctx.
//
// The class is permanent when another attempt could not meet the requirement,
// timeout when ctx ended, and transient otherwise, with the longest pause that a
// child asked for.
//
// Of several events written at once, each meets the requirement or not by itself. They
// return together, as soon as all meet it or all children are done. When ctx ends and
// some of them meet it, the children that are not done go on.
//
// Close refuses later writes, and then closes every child, all at once: each as soon
// as the writes to it are done, stragglers included, or when ctx ends. Its error
// names the children that failed to close, and those that were not done when ctx
// ended; writes that outlived their Write are cancelled then. Without Close up to 2
// idle goroutines of each child stay. Check asks all children at once, and its error
// names those that fail, whatever the requirement.
//
// Level is what a successful Write guarantees, whichever children it was that
// succeeded: with All the highest level among the children, with Any the lowest, with
// AtLeast(n) the n-th lowest, with Named the highest of the named.
type Sink struct{ driver.Sink }

// New returns a Sink over children. It refuses to have none, a nil one, two of
// one name, two that write for different components, and a requirement that they
// cannot meet.
func New(children []Child, opts Options) (*Sink, error) {
	if len(children) == 0 {
		return nil, errors.New("multi: there are no children: give at least one sink to write to")
	}
	if err := options.Complete(&opts); err != nil {
		return nil, fmt.Errorf("multi: %w", err)
	}
	s := &stage{opts: opts, stragglers: map[*fan]struct{}{}}
	for i, c := range children {
		if c.Sink == nil {
			return nil, fmt.Errorf("multi: the sink of child %d (%q) is nil: give it one", i, c.Name)
		}
		if c.Timeout < 0 {
			return nil, fmt.Errorf("multi: the timeout of child %d (%q) must be at least 0", i, c.Name)
		}
		next := driver.Of(c.Sink)
		if c.Name == "" {
			c.Name = next.Info().Chain
		}
		if slices.ContainsFunc(s.children, func(other *child) bool { return other.name == c.Name }) {
			return nil, fmt.Errorf("multi: two children are named %q: give each a name of its own", c.Name)
		}
		s.children = append(s.children, &child{name: c.Name, next: next, timeout: c.Timeout, jobs: make(chan job)})
	}
	var err error
	if s.require, err = opts.Require.over(s.children); err != nil {
		return nil, err
	}
	if s.info, err = s.inform(); err != nil {
		return nil, fmt.Errorf("multi: %w", err)
	}
	return &Sink{driver.New(s)}, nil
}

// stage is the Driver of a Sink.
type stage struct {
	opts     Options
	info     driver.Info
	children []*child
	require  requirement

	mu         sync.RWMutex
	closed     bool
	stragglers map[*fan]struct{} // those that outlived their Store
	calm       chan struct{}     // closed when there are none any more; nil when there are none
}

type child struct {
	name    string
	next    driver.Driver
	timeout time.Duration

	active     sync.WaitGroup // Stores under way
	stragglers atomic.Int64   // events of those that outlived the stage's

	jobs      chan job     // to the idle goroutines; closed when the child is
	idle      atomic.Int64 // goroutines that wait for a job
	closeJobs sync.Once
}

var errClosed = errors.New("the fan-out is closed")

// Info returns the stage's Info, which inform made of the children's.
func (s *stage) Info() driver.Info { return s.info }

// inform makes the stage's Info of the children's.
func (s *stage) inform() (driver.Info, error) {
	all := driver.Info{Name: sinkName, Repeats: driver.RepeatsRecognised}
	var drivers []driver.Driver
	var chains []string
	var levels []auditing.Level // of the children that count
	anywhere := 0               // of those, the ones that take events without a namespace
	for i, c := range s.children {
		info := c.next.Info()
		drivers, chains = append(drivers, c.next), append(chains, info.Chain)
		all.Repeats = min(all.Repeats, info.Repeats)
		all.Redacts = all.Redacts || info.Redacts
		if all.Batch == 0 || info.Batch > 0 && info.Batch < all.Batch {
			all.Batch = info.Batch
		}
		if s.require.counts[i] {
			levels = append(levels, info.Level)
			if !info.Namespaced {
				anywhere++
			}
		}
	}
	slices.Sort(levels)
	all.Level = levels[s.require.need-1]
	all.Namespaced = anywhere < s.require.need
	all.Chain = sinkName + "(" + s.opts.Require.String() + ")[" + strings.Join(chains, ", ") + "]"
	var err error
	all.Component, err = driver.Component(s.opts.Component, drivers...)
	return all, err
}
