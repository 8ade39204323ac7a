package seal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/trail"
)

const (
	// sinkName stands in errors and metrics, checkpointName in the metrics of what the stage
	// writes itself.
	sinkName       = "seal"
	checkpointName = "seal-checkpoint"
)

// Sink seals events on their way to the next sink. Make one with New; it is safe for
// concurrent use.
//
// Write seals a copy of the event and puts the seal on the caller's event as well, so that
// writing it again stores the same event. Its outcome is that of the next sink. nil does not
// mean that a checkpoint covers the event: Wait waits for that.
//
// Close refuses later writes, waits for those under way, and for spools behind it to be empty for half
// of the time that ctx has and Options.Timeout at most, stores the checkpoint that closes
// the trail, and closes the next sink. Its error says what stayed without a checkpoint.
//
// Level is that of the next sink, and String prints the chain: "seal(kube)".
type Sink struct {
	driver.Sink

	stage *stage
}

// New returns a Sink in front of next, and opens a trail. It refuses a next that is nil or
// that redacts, options out of range, a component other than that of next, and a Registerer that
// does not take the metrics.
func New(next auditing.Sink, opts Options) (*Sink, error) {
	s, err := newStage(next, opts)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Sink{driver.New(s), s}, nil
}

// Wait returns nil once checkpoints that cover every event sealed before the call are
// stored, and otherwise when ctx ends. It has a checkpoint made at once.
func (s *Sink) Wait(ctx context.Context) error {
	if s.stage == nil {
		return errors.New("seal: the sink is not made: use New")
	}
	return s.stage.wait(ctx)
}

// stage is the Driver of a Sink.
type stage struct {
	driver.Gate

	next, checkpoints driver.Driver // checkpoints is next under the name checkpointName
	info              driver.Info
	opts              Options
	metrics           *metrics
	forget            func() // gives the metrics back
	deaf              func() // hears of no more losses
	others            others

	mu    sync.Mutex
	now   *life   // takes new events
	ready *life   // the next one, while it is begun ahead; otherwise nil
	past  []*life // that are not closed yet, and the last few that are
}

func newStage(next auditing.Sink, opts Options) (*stage, error) {
	if next == nil {
		return nil, errors.New("the sink to write to is nil: give it one")
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &stage{next: driver.Of(next), opts: opts}
	s.info = s.next.Info()
	component, err := driver.Component(opts.Component, s.next)
	switch {
	case err != nil:
		return nil, err
	case component == "":
		return nil, errors.New("a trail is that of one component: set Options.Component")
	case s.info.Redacts:
		return nil, fmt.Errorf("behind it %s redacts, and what is sealed must be what is stored: put redact in front of seal", s.info.Chain)
	case s.info.Namespaced && opts.Namespace == "":
		return nil, errors.New("checkpoints are objects in the API server, which need a namespace: set Options.Namespace")
	}
	s.checkpoints = driver.Named(s.next, checkpointName)
	if s.metrics, s.forget, err = openMetrics(&opts, s.info.Chain); err != nil {
		return nil, err
	}
	s.info.Name, s.info.Chain, s.info.Component = sinkName, sinkName+"("+s.info.Chain+")", component
	s.mu.Lock()
	s.now, err = s.begin() // its goroutine reads s.now
	s.mu.Unlock()
	if err != nil {
		s.forget()
		return nil, err
	}
	s.deaf = driver.OnLacks(s.lacks)
	return s, nil
}

// Info is that of the next sink, with the name, the chain and the component of this stage.
func (s *stage) Info() driver.Info { return s.info }

// Check asks the next sink.
func (s *stage) Check(ctx context.Context) error { return s.next.Check(ctx) }

// place is where an event has its leaf.
type place struct {
	life  *life // nil for a trail of another process
	index int64
}

// Store seals events and hands them on.
func (s *stage) Store(ctx context.Context, events []*driver.Event) []error {
	if err := s.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer s.Leave(len(events))
	if len(events) == 1 { // without slices of its own
		sealed, at, err := s.seal(events[0])
		if err != nil {
			return []error{err}
		}
		errs := s.next.Store(ctx, sealed.Alone())
		s.settle(at, first(errs))
		return errs
	}
	return s.storeAll(ctx, events)
}

// storeAll hands on those of the events that can be sealed.
func (s *stage) storeAll(ctx context.Context, events []*driver.Event) []error {
	errs := make([]error, len(events))
	sealed := make([]*driver.Event, 0, len(events))
	places, from := make([]place, 0, len(events)), make([]int, 0, len(events))
	for i, e := range events {
		one, at, err := s.seal(e)
		if err != nil {
			errs[i] = err
			continue
		}
		sealed, places, from = append(sealed, one), append(places, at), append(from, i)
	}
	if len(sealed) == 0 {
		return errs
	}
	outcomes := s.next.Store(ctx, sealed)
	for i, at := range places {
		if outcomes != nil {
			errs[from[i]] = outcomes[i]
		}
		s.settle(at, errs[from[i]])
	}
	if !slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return nil
	}
	return errs
}

// settle notes what became of an event.
func (s *stage) settle(at place, err error) {
	if at.life == nil {
		return
	}
	to := stored
	if err != nil {
		to = outcomeOf(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at.life.settle(at.index, to)
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// seal returns the event with its seal. An event that has none gets one.
func (s *stage) seal(e *driver.Event) (*driver.Event, place, error) {
	if text := e.Annotation(v1alpha1.AnnotationSeal); text != "" {
		at, err := s.again(e, text)
		return e, at, err
	}
	name := hashOf(e)
	for {
		// An event may come by as another object without its seal, at the same time even. It
		// has one leaf.
		known, at := s.recall(name, e)
		if at.life != nil {
			return e.Sealed(known.seal(at.life)), at, nil
		}
		salt := trail.NewSalt()
		if at = s.add(name, known, salt, leafOf(e, salt), e.Time()); at.life != nil {
			return e.Sealed(sealedName{at.index, salt}.seal(at.life)), at, nil
		}
	}
}

// recall finds the event under the name that was sealed a short time ago. Without a life
// there is none, or it is another event.
func (s *stage) recall(name uint64, e *driver.Event) (sealedName, place) {
	s.mu.Lock()
	l := s.now
	known, ok := l.names.get(name)
	s.mu.Unlock()
	if !ok {
		return known, place{}
	}
	leaf := leafOf(e, known.salt)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.again(known.index, leaf) {
		return known, place{}
	}
	return known, place{l, known.index}
}

func leafOf(e *driver.Event, salt trail.Salt) trail.Hash {
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	defer buffers.Put(buf)
	*buf = e.AppendCanonical(trail.AppendLeaf((*buf)[:0], salt))
	return trail.HashLeaf(*buf)
}

// add gives a leaf its place, unless the name has become known since recall, and begins
// another trail when this one is long enough.
func (s *stage) add(name uint64, known sealedName, salt trail.Salt, leaf trail.Hash, at time.Time) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch most := int64(s.opts.MaxEvents); {
	case s.now.marks.size > most:
		s.rotate()
	case s.now.marks.size > most-most/8:
		s.prepare()
	}
	if now, ok := s.now.names.get(name); ok && now != known {
		return place{}
	}
	index := s.now.add(leaf, at)
	s.now.names.put(name, sealedName{index, salt})
	return place{s.now, index}
}

var errChanged = errors.New("the event was changed after it was sealed: write a new event")

// again finds the place of an event that has a seal. An event of another process's trail, a
// spool's or an archive's, goes on as it is.
func (s *stage) again(e *driver.Event, text string) (place, error) {
	seal, err := trail.ParseSeal(text)
	if err != nil {
		return place{}, driver.Permanent(fmt.Errorf("%w: %w", errChanged, err))
	}
	leaf := leafOf(e, seal.Salt)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.life(seal.Trail)
	if l == nil {
		return place{}, nil
	}
	if !l.again(seal.Index, leaf) {
		return place{}, driver.Permanent(errChanged)
	}
	return place{l, seal.Index}, nil
}

// lacks notes that a place will never hold an event, which may be of another trail.
func (s *stage) lacks(text, place string) {
	seal, err := trail.ParseSeal(text)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.life(seal.Trail)
	if l == nil || l.closed() {
		l = s.now
	}
	l.lacks(seal, place)
}

// wait waits for the checkpoints of all that is sealed now.
func (s *stage) wait(ctx context.Context) error {
	s.mu.Lock()
	lives := s.lives()
	s.mu.Unlock()
	for _, l := range lives {
		if err := l.wait(ctx); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
	}
	return nil
}

// drain waits a while for places to hold all events, or to be known to lack them: the checkpoint that
// closes a trail has to declare that. It leaves half of the time for that checkpoint.
func (s *stage) drain(ctx context.Context) error {
	most := s.opts.Timeout
	if end, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return driver.Drain(ctx, s.next)
}

// Close closes the trail and the next sink.
func (s *stage) Close(ctx context.Context) error {
	err := errors.Join(s.Gate.Close(ctx), s.drain(ctx))
	s.mu.Lock()
	lives := s.lives()
	for _, l := range lives {
		l.end()
	}
	s.mu.Unlock()
	for _, l := range lives {
		err = errors.Join(err, l.finish(ctx))
	}
	s.deaf()
	s.forget()
	return errors.Join(err, s.next.Close(ctx))
}

// failed reports a failure to store a checkpoint, or to have a key vouched for.
func (s *stage) failed(e *driver.Event, err error) {
	s.metrics.failures.Inc()
	s.heard(e, err)
}

// heard has OnFailure hear of a failure.
func (s *stage) heard(e *driver.Event, err error) {
	if s.opts.OnFailure == nil {
		return
	}
	var ae *v1alpha1.AuditEvent
	if e != nil {
		ae = e.Object()
	}
	_ = hooks.Call("OnFailure of a seal", func() { s.opts.OnFailure(context.Background(), ae, err) }) // it is logged
}
