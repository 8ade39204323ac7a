package lokiclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/grafana/loki-client-go/loki"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/secrets"
)

const sinkName = "lokiclient"

var errClosed = errors.New("the sink is closed")

// Sink hands events to one loki-client-go client. Make one with New; it is safe
// for concurrent use. Two sinks of one process for the same host share the
// client's counters, so that what Close tells is then that of both. Its methods are
// those of driver.Sink.
//
// Write returns nil once the client has the event in memory. Whether Loki ever
// stores it, nobody says; how many entries the client dropped, Close does. While the
// client is busy sending, which with a Loki that does not answer takes minutes,
// Write waits as long as its context lets it.
//
// Close refuses further writes, has the client send what it has, and says how many
// entries the client dropped since New, with its last words about it. When its
// context ends first the error says how many entries have no outcome; the client
// goes on with them in the background until its retries are over. Closing again
// waits again and says the same. Check asks nobody: the client cannot.
type Sink struct{ driver.Sink }

// New returns a Sink with a client of its own, which sends to the Loki at
// address, such as "http://loki:3100". What stands before the path of the push API may
// hold a secret, which neither errors nor Options.Logger show. It connects to nothing. Close it: the
// client has a goroutine.
func New(address string, opts Options) (*Sink, error) {
	config, err := opts.config(address)
	if err != nil {
		return nil, fmt.Errorf("lokiclient: invalid options: %w", err)
	}
	h := &handler{
		component:   opts.Component,
		serviceName: cmp.Or(opts.ServiceName, defaultServiceName),
		said:        &said{next: opts.Logger, hidden: &secrets.Secrets{}},
		host:        config.URL.Host,
		turn:        make(chan struct{}, 1),
		closing:     make(chan struct{}),
		stopped:     make(chan struct{}),
	}
	httpclient.Keep(h.said.hidden, config.URL.URL, []string{pushPath})
	if h.client, err = loki.NewWithLogger(config, h.said); err != nil {
		return nil, fmt.Errorf("lokiclient: making the client: %w", err)
	}
	if h.before, err = readCounters(h.host); err != nil {
		h.client.Stop()
		return nil, fmt.Errorf("lokiclient: reading the client's counters: %w", err)
	}
	return &Sink{driver.New(h)}, nil
}

// handler is a Sink as its author sees it.
type handler struct {
	driver.Base // the client has nothing to check

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

// Info describes the destination: behind the client, Loki recognises repeats.
func (h *handler) Info() driver.Info {
	return driver.Info{
		Name: sinkName, Component: h.component, Level: auditing.LevelAccepted, Repeats: driver.RepeatsRecognised,
	}
}

// Store hands over one event after the other.
func (h *handler) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, h.hand)
}

// hand gives e to the client.
func (h *handler) hand(ctx context.Context, e *driver.Event) error {
	select {
	case <-h.closing: // Handle would block for ever
		return driver.WithClass(auditing.ClassClosed, errClosed)
	default:
	}
	entry, err := h.entry(e)
	if err != nil {
		return driver.Permanent(err)
	}
	select {
	case h.turn <- struct{}{}:
	case <-h.closing:
		return driver.WithClass(auditing.ClassClosed, errClosed)
	case <-ctx.Done():
		return fmt.Errorf("not handed over: the client is busy sending: %w", ctx.Err())
	}
	// Handle has no context. So it has a goroutine, of which there is one at
	// most, and which ends when the client takes the entry: the client is stopped
	// by who has the turn, so somebody reads as long as this runs.
	taken := make(chan error, 1)
	go func() {
		err := h.client.HandleWithMetadata(entry.labels, entry.time, entry.line, entry.metadata)
		h.handed.Add(1)
		<-h.turn
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

// Close is that of Sink.
func (h *handler) Close(ctx context.Context) (err error) {
	h.once.Do(func() {
		close(h.closing)
		go func() {
			h.turn <- struct{}{} // for good: no Handle is under way, and none follows
			h.client.Stop()
			close(h.stopped)
		}()
	})
	select {
	case <-h.stopped:
	case <-ctx.Done():
		select {
		case <-h.stopped: // both have ended
		default:
			err = fmt.Errorf("lokiclient: closed while the client was still sending: %s: %w", h.unconfirmed(), ctx.Err())
		}
	}
	return errors.Join(err, h.dropped())
}
