package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/driver/httpdriver"
	"github.com/paddock-dev/audit/internal/httpclient"
)

// Sink sends audit events to one receiver. Make one with New and share it: it is safe for
// concurrent use. An idle Sink has no goroutine of its own. Its methods are those of
// driver.Sink.
//
// Write returns nil once the receiver has answered that it has the event, at the level of
// the sink. It does not try again: put package retry or spool in front. The package comment says
// what each answer means. While the receiver cannot keep up, Write waits for room; when its
// context ends first, the class is full.
//
// Check says whether the receiver can be reached and has something at this address, and
// whether the secrets can be read. It sends OPTIONS, which stores nothing, and takes any
// answer but 401, 403, 404, 407, 410, redirects and 5xx other than 501. It does not prove that
// the receiver knows the secret.
//
// Close lets the writes under way end and refuses new ones. When its context ends first they
// fail, and its error names the events that the receiver has not confirmed. No goroutine is left
// when Close returns.
type Sink struct {
	driver.Sink
}

// New returns a Sink that posts to the receiver at address, such as
// "https://receiver.example/audit". The address may have a query, and a secret in its path: errors
// show neither, but "https://receiver.example/…". New connects to nothing: ask Check. The error names every option that is wrong, and says when
// Options.SecretsFile cannot be used.
func New(address string, opts Options) (*Sink, error) {
	invalid := opts.complete()
	_, err := httpclient.Address(address, "https://receiver.example/audit")
	if err = errors.Join(err, invalid); err != nil {
		return nil, fmt.Errorf("webhook: invalid options: %w", err)
	}
	s := &store{opts: opts}
	if s.signer, err = newSigner(opts.Secrets, opts.SecretsFile); err == nil {
		_, err = s.signer.keys()
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	if s.client, err = httpdriver.New(address, httpdriver.Options{
		Name: name, HTTP: opts.HTTP, Timeout: opts.Timeout, RefusalGrace: opts.RefusalGrace, Judge: opts.judge,
	}); err != nil {
		return nil, err
	}
	if s.metrics, s.release, err = newMetrics(opts.Registerer); err != nil {
		_ = s.client.Close(context.Background()) // it has nothing under way
		return nil, fmt.Errorf("webhook: registering metrics: %w", err)
	}
	s.batches, err = batcher.New(batcher.Options[*driver.Event]{
		Size:     func(e *driver.Event) int { return len(e.JSON()) + eventExtra },
		Name:     (*driver.Event).Ref,
		MaxItems: opts.MaxBatchEvents, MaxBytes: maxRequestBytes,
		// No order is promised, so all requests may be under way at once, as soon as there
		// is a full one beside those.
		MaxInFlight: opts.MaxInFlight, MaxPerQueue: opts.MaxInFlight, Crowd: opts.MaxBatchEvents,
		MaxPendingBytes: opts.MaxPendingBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	s.queue = s.batches.Queue(s.send)
	return &Sink{driver.New(s)}, nil
}

const (
	name = "webhook" // of the sink

	maxRequestBytes = 1 << 20 // of a batch, before headers
	eventExtra      = 1 << 9  // bytes of the attributes of an event, unless its run has a long name
)

// store is the driver behind a Sink.
type store struct {
	opts    Options
	signer  *signer
	client  *httpdriver.Client
	batches *batcher.Batcher[*driver.Event]
	queue   *batcher.Queue[*driver.Event]
	metrics *metrics
	release func() // of metrics

	gone  atomic.Pointer[time.Time] // when the receiver answered 410; nil when it has not
	until atomic.Pointer[time.Time] // nothing is sent before, by Retry-After; nil for no such time
}

// Info describes the destination. What the receiver makes of an event that it gets twice is up
// to it.
func (s *store) Info() driver.Info {
	return driver.Info{
		Name: name, Component: s.opts.Component, Level: s.opts.Level,
		Batch: s.opts.MaxBatchEvents * s.opts.MaxInFlight, Repeats: driver.RepeatsFolded,
	}
}

// Store puts the events into requests, and waits for the answers.
func (s *store) Store(ctx context.Context, events []*driver.Event) []error {
	return s.queue.Store(ctx, events)
}

// Check is the Check of Sink.
func (s *store) Check(ctx context.Context) error {
	if _, err := s.signer.keys(); err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	if err := s.wanted(); err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	if err := s.client.Probe(ctx); err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	return nil
}

// Close is the Close of Sink.
func (s *store) Close(ctx context.Context) error {
	err := s.batches.Close(ctx)
	if err != nil {
		err = fmt.Errorf("webhook: %w", err)
	}
	err = errors.Join(err, s.client.Close(ctx))
	s.release()
	return err
}

// wanted returns an error once the receiver has answered 410.
func (s *store) wanted() error {
	at := s.gone.Load()
	if at == nil {
		return nil
	}
	return driver.Permanent(fmt.Errorf("not sent: the receiver answered 410 Gone at %s, by which it wants no more events: "+
		"remove the sink, or start the component again when the receiver is back", at.UTC().Format(time.RFC3339)))
}

// mayBeAsked returns an error when nothing may be sent now.
func (s *store) mayBeAsked(now time.Time) error {
	if err := s.wanted(); err != nil {
		return err
	}
	if until := s.until.Load(); until != nil && now.Before(*until) {
		pause := until.Sub(now)
		return driver.RetryAfter(fmt.Errorf("not sent: the receiver asked to wait until %s (Retry-After)", until.UTC().Format(time.RFC3339)), pause)
	}
	return nil
}

// longestPause bounds the pause that a receiver can ask for.
const longestPause = 10 * time.Minute

// note remembers what an answer says about later requests.
func (s *store) note(a httpdriver.Answer, now time.Time) {
	if a.Err == nil {
		return
	}
	if a.Status == http.StatusGone {
		s.gone.CompareAndSwap(nil, new(now))
	}
	if class, pause := driver.ClassOf(a.Err); class == auditing.ClassTransient && pause > 0 {
		s.until.Store(new(now.Add(min(pause, longestPause))))
	}
}
