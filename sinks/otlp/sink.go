package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// Sink sends audit events to one receiver of OTLP logs. Make one with New and share it: it
// is safe for concurrent use, and only writers of the same Sink share requests. An idle Sink
// has no goroutine of its own. Its methods are those of driver.Sink.
//
// Write returns nil once the receiver has answered 200 and rejected nothing: see Options.Level
// for what that is worth. It does not try again: put package retry or spool in front. Any error says whether
// the outcome is unknown. While the receiver cannot keep up, Write waits for room; when its
// context ends first, the class is full.
//
// Check sends a request without records, which stores nothing. It returns nil when the
// receiver answers as to any other request: 200, with an OTLP answer.
//
// Close lets the writes under way end and refuses new ones. When its context ends first they
// fail, and its error names the events that the receiver has not confirmed. No goroutine is left
// when Close returns.
type Sink struct {
	driver.Sink
}

// New returns a Sink that sends to the receiver at address: its base, such as
// "http://collector:4318", the path that a gateway puts before it, or the whole address
// of its /v1/logs. VictoriaLogs has http://victorialogs:9428/insert/opentelemetry/v1/logs, and Loki
// http://loki:3100/otlp/v1/logs. What else a path begins with may hold a secret, and errors show
// "…" for it. New connects to nothing: ask Check. The error names every option that is wrong.
func New(address string, opts Options) (*Sink, error) {
	invalid := opts.complete()
	u, err := Endpoint(address)
	if err = errors.Join(err, invalid); err != nil {
		return nil, fmt.Errorf("otlp: invalid options: %w", err)
	}
	s := &store{opts: opts, frame: opts.frame()}
	s.batches, err = batcher.New(batcher.Options[item]{
		Size:        func(it item) int { return len(it.record) },
		Name:        func(it item) string { return it.event.Ref() },
		MaxBytes:    maxRequestBytes,
		MaxInFlight: opts.MaxInFlight, MaxPerQueue: opts.MaxInFlight, MaxPendingBytes: opts.MaxPendingBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	s.queue = s.batches.Queue(s.send)
	header := http.Header{"Content-Type": {"application/x-protobuf"}}
	if opts.Compression == compressionGzip {
		header.Set("Content-Encoding", compressionGzip)
	}
	s.client, err = httpdriver.New(u.String(), httpdriver.Options{
		Name: sinkName, HTTP: opts.HTTP, Header: header, TenantID: opts.TenantID, Timeout: opts.Timeout, RefusalGrace: opts.RefusalGrace,
		Judge: judge, MaxBody: maxResponseBytes, PublicPaths: publicPaths,
	})
	if err != nil {
		return nil, err
	}
	s.metrics, s.release, err = newMetrics(opts.Registerer)
	if err != nil {
		_ = s.client.Close(context.Background()) // it has nothing under way
		return nil, fmt.Errorf("otlp: registering metrics: %w", err)
	}
	return &Sink{driver.New(s)}, nil
}

const (
	sinkName = "otlp"

	// maxRequestBytes bounds a request before compression, beside its frame. Collectors take
	// 20 MiB by default, and their backends less.
	maxRequestBytes = 1 << 20
	// maxResponseBytes bounds the answer that is read.
	maxResponseBytes = 64 << 10
)

// store is the driver behind a Sink.
type store struct {
	opts    Options
	frame   frame
	client  *httpdriver.Client
	batches *batcher.Batcher[item]
	queue   *batcher.Queue[item]
	metrics *metrics
	release func() // of metrics

	mu     sync.Mutex
	warned string // the last text that OnWarning has heard
}

// Info describes the destination. A Store takes about as many events well as a request holds.
func (s *store) Info() driver.Info {
	return driver.Info{Name: sinkName, Component: s.opts.Component, Level: s.opts.Level, Batch: 1024, Repeats: driver.RepeatsFolded}
}

// Store encodes the events, and waits until each has an outcome.
func (s *store) Store(ctx context.Context, events []*driver.Event) []error {
	items := make([]item, len(events))
	for i, e := range events {
		items[i] = item{event: e, record: recordOf(e)}
	}
	return s.queue.Store(ctx, items)
}

// Check sends a request without records.
func (s *store) Check(ctx context.Context) error {
	a := s.post(ctx, nil)
	if a.Err != nil {
		return a.Err
	}
	if errs := s.outcomes(a, make([]item, 1)); errs != nil {
		return fmt.Errorf("a request without records: %w", errs[0])
	}
	return nil
}

// Close is the Close of Sink.
func (s *store) Close(ctx context.Context) error {
	err := s.batches.Close(ctx)
	if closing := s.client.Close(ctx); err == nil { // nothing but a Check is under way by now
		err = closing
	}
	s.release()
	if err != nil {
		err = fmt.Errorf("otlp: %w", err)
	}
	return err
}
