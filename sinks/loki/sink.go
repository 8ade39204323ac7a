package loki

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const sinkName = "loki"

// Sink writes audit events to one Loki. Make one with New and share it: it is
// safe for concurrent use, and only writers of the same Sink share pushes. An
// idle Sink has no goroutine of its own.
type Sink struct {
	opts    Options
	client  *client
	metrics *metrics
	lines   lines
	labels  labelText
	places  places
	disk    *disk // nil where an answer says enough

	slots chan *batch         // MaxInFlight, but for those of pushes under way
	leads bool                // lone writers push by themselves
	room  *semaphore.Weighted // bytes of encoded events

	// pushing is the parent of every push; it ends with Close.
	pushing    context.Context
	stopPushes context.CancelFunc
	pushers    sync.WaitGroup

	writings sync.Pool // of *writing, each with a channel of its own

	mu      sync.Mutex
	streams map[streamKey]*stream
	ongoing ongoing
	closed  bool
	drained chan struct{} // closed when closed is set and nothing is ongoing
}

// streamKey is what tells the streams of one Sink apart.
type streamKey struct{ component, namespace, late string }

var (
	errClosed  = errors.New("the sink is closed")
	errClosing = errors.New("the sink was closed before Loki confirmed the event")
	errGaveUp  = errors.New("Options.RetryFor is over")
)

// New returns a Sink that pushes to the server at address, such as
// "http://loki:3100" or "http://victorialogs:9428": its root, the path that a
// gateway puts before it, or the whole address of the push API. It connects to
// nothing: ask Check. The error names every option that is wrong.
func New(address string, opts Options) (*Sink, error) {
	opts = opts.withDefaults()
	base, err := endpoint(address, opts.Server)
	if err = errors.Join(err, opts.validate()); err != nil {
		return nil, fmt.Errorf("loki: invalid options: %w", err)
	}
	c, err := newClient(base, opts)
	if err != nil {
		return nil, fmt.Errorf("loki: HTTP: %w", err)
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("loki: registering metrics: %w", err)
	}
	s := &Sink{
		opts:    opts,
		client:  c,
		metrics: m,
		lines:   lines{limit: opts.MaxLineBytes},
		labels:  newLabelText(opts),
		slots:   make(chan *batch, opts.MaxInFlight),
		room:    semaphore.NewWeighted(opts.MaxPendingBytes),
		streams: map[streamKey]*stream{},
		drained: make(chan struct{}),
		// A token may be fetched under the context of whoever needed it first.
		leads: opts.HTTP.OAuth2 == nil,
	}
	if opts.Server == ServerVictoriaLogs && opts.Level == auditing.LevelAcknowledged {
		s.disk = newDisk(c, opts.RetryFor)
	}
	for range opts.MaxInFlight {
		s.slots <- &batch{}
	}
	s.pushing, s.stopPushes = context.WithCancel(context.Background())
	return s, nil
}

// Write returns nil once the server has confirmed that it stored ae, at the level
// of the sink. It tries again what may succeed later, until ctx ends or
// Options.RetryFor is over.
//
// An error says whether the event was not sent or whether the outcome is
// unknown; writing it again is harmless either way. What Loki refuses for good
// is of class permanent, with Loki's own words. While Loki cannot keep up, Write
// waits for room; the class is full when ctx ends first.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: sinkName, Component: s.opts.Component}, ae, s.store)
}

// Level returns Options.Level, or its default for the server.
func (s *Sink) Level() auditing.Level { return s.opts.Level }

// ReadsOnly returns true: the event is encoded.
func (s *Sink) ReadsOnly() bool { return true }

// String returns "loki".
func (s *Sink) String() string { return sinkName }

// Close lets the writes under way end and refuses new ones. When ctx ends first
// they fail, and the error names the events that Loki has not confirmed. No
// goroutine is left when Close returns. Closing again is harmless.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		if s.ongoing.none() {
			close(s.drained)
		}
	}
	s.mu.Unlock()
	var err error
	select {
	case <-s.drained:
	case <-ctx.Done():
		err = s.abandon(ctx)
		s.stopPushes()
		<-s.drained // soon, for every writer's context has ended
	}
	s.stopPushes()
	s.pushers.Wait()
	s.mu.Lock()
	if s.ongoing.timer != nil {
		s.ongoing.timer.Stop()
	}
	s.mu.Unlock()
	s.client.closeIdle()
	return err
}

// abandon ends the writes under way and names their events.
func (s *Sink) abandon(ctx context.Context) error {
	s.mu.Lock()
	var events []string
	for w := range s.ongoing.all() {
		events = append(events, eventName(w.namespace, w.name))
		w.stop(errClosing)
	}
	s.mu.Unlock()
	if len(events) == 0 {
		return nil
	}
	slices.Sort(events)
	const most = 100
	rest := ""
	if n := len(events) - most; n > 0 {
		rest = fmt.Sprintf(" and %d more", n)
		events = events[:most]
	}
	return fmt.Errorf("loki: closed with events unconfirmed: %s%s: %w", strings.Join(events, ", "), rest, ctx.Err())
}

// maxIdleStreams bounds what is remembered of streams without a writer.
const maxIdleStreams = 1024

func (s *Sink) stream(ae *v1alpha1.AuditEvent, late string) *stream {
	key := streamKey{component: ae.Labels[v1alpha1.LabelComponent], namespace: ae.Namespace, late: late}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.streams[key]
	if q == nil {
		if len(s.streams) >= maxIdleStreams {
			for k, old := range s.streams {
				if old.idle() {
					delete(s.streams, k)
				}
			}
		}
		q = newStream(s, s.labels.of(ae, late))
		s.streams[key] = q
	}
	return q
}
