package lokiclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/grafana/loki-client-go/loki"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

const sinkName = "lokiclient"

var errClosed = errors.New("the sink is closed")

// Sink hands events to one loki-client-go client. Make one with New; it is safe
// for concurrent use. Two sinks of one process for the same host share the
// client's counters, so that what Close tells is then that of both.
type Sink struct {
	component   string
	serviceName string
	client      *loki.Client
	said        *said
	before      counted
	host        string
	handed      atomic.Int64 // entries that the client took

	// turn holds a token while a call of Handle is under way: the client takes
	// entries one by one, and its Handle cannot be interrupted.
	turn    chan struct{}
	closing chan struct{} // closed when Close is called
	stopped chan struct{} // closed when the client has sent or dropped all it had
	once    sync.Once     // closes closing
}

// New returns a Sink with a client of its own, which sends to the Loki at
// address, such as "http://loki:3100". It connects to nothing. Close it: the
// client has a goroutine.
func New(address string, opts Options) (*Sink, error) {
	config, err := opts.config(address)
	if err != nil {
		return nil, fmt.Errorf("lokiclient: invalid options: %w", err)
	}
	s := &Sink{
		component:   opts.Component,
		serviceName: or(opts.ServiceName, defaultServiceName),
		said:        &said{next: opts.Logger},
		host:        config.URL.Host,
		turn:        make(chan struct{}, 1),
		closing:     make(chan struct{}),
		stopped:     make(chan struct{}),
	}
	if s.client, err = loki.NewWithLogger(config, s.said); err != nil {
		return nil, fmt.Errorf("lokiclient: making the client: %w", err)
	}
	if s.before, err = readCounters(s.host); err != nil {
		s.client.Stop()
		return nil, fmt.Errorf("lokiclient: reading the client's counters: %w", err)
	}
	return s, nil
}

// Write returns nil once the client has ae in memory. Whether Loki ever stores
// it, nobody says; how many entries the client dropped, Close does.
//
// While the client is busy sending, which with a Loki that does not answer takes
// minutes, Write waits as long as ctx lets it.
func (s *Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: sinkName, Component: s.component}, ae, s.hand)
}

// hand gives ae to the client.
func (s *Sink) hand(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	select {
	case <-s.closing: // Handle would block for ever
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	default:
	}
	e, err := s.entry(ae)
	if err != nil {
		return auditing.Permanent(err)
	}
	select {
	case s.turn <- struct{}{}:
	case <-s.closing:
		return auditing.WithClass(auditing.ClassClosed, errClosed)
	case <-ctx.Done():
		return fmt.Errorf("not handed over: the client is busy sending: %w", ctx.Err())
	}
	// Handle has no context. So it has a goroutine, of which there is one at
	// most, and which ends when the client takes the entry: the client is stopped
	// by who has the turn, so somebody reads as long as this runs.
	taken := make(chan error, 1)
	go func() {
		err := s.client.HandleWithMetadata(e.labels, e.time, e.line, e.metadata)
		s.handed.Add(1)
		<-s.turn
		taken <- err
	}()
	select {
	case err := <-taken:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the client is busy sending and takes the event later, so the outcome is unknown, "+
			"and writing it again is harmless: %w", ctx.Err())
	}
}

// Close refuses further writes, has the client send what it has, and says how
// many entries the client dropped since New, with its last words about it. When
// ctx ends first the error says how many entries have no outcome; the client
// goes on with them in the background until its retries are over. Closing again
// waits again and says the same.
func (s *Sink) Close(ctx context.Context) error {
	s.once.Do(func() {
		close(s.closing)
		go func() {
			s.turn <- struct{}{} // for good: no Handle is under way, and none follows
			s.client.Stop()
			close(s.stopped)
		}()
	})
	select {
	case <-s.stopped:
		return s.dropped()
	default:
	}
	select {
	case <-s.stopped:
		return s.dropped()
	case <-ctx.Done():
		return errors.Join(
			fmt.Errorf("lokiclient: closed while the client was still sending: %s: %w", s.unconfirmed(), ctx.Err()),
			s.dropped())
	}
}

// Level returns LevelAccepted.
func (s *Sink) Level() auditing.Level { return auditing.LevelAccepted }

// String returns "lokiclient".
func (s *Sink) String() string { return sinkName }
