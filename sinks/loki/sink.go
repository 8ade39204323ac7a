package loki

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
	"k8s.io/utils/lru"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

// Sink writes audit events to one Loki or VictoriaLogs. Make one with New and
// share it: it is safe for concurrent use, and only writers of the same Sink share
// pushes. An idle Sink has no goroutine of its own. Its methods are those of
// driver.Sink.
//
// Write returns nil once the server has confirmed that it stored the event, at the
// level of the sink. It does not try again: put package retry or spool in front. What
// Loki refuses for good is of class permanent, with Loki's own words; that it refuses
// the credentials is transient for Options.RefusalGrace. Any other error
// says whether the outcome is unknown; writing again is harmless either way. While
// Loki cannot keep up, Write waits for room; when its context ends first, the class is
// full.
//
// Check says whether the server is reachable and ready, and takes pushes with these
// credentials. It sends the proof of Options.ProveEvery, for which it needs the right
// to write only, and stores nothing. In the /metrics of a VictoriaLogs it looks
// whether the server keeps as much as Options.Oldest and Newest say, and whether it
// counts the proof as dropped (vl_rows_dropped_total). Check asks once: to wait for a
// server that is starting, call it again.
//
// Close lets the writes under way end and refuses new ones. When its context ends
// first they fail, and its error names the events that Loki has not confirmed. No
// goroutine is left when Close returns.
type Sink struct {
	driver.Sink
	store *store
}

// New returns a Sink that pushes to the server at address, such as
// "http://loki:3100" or "http://victorialogs:9428": its root, the path that a
// gateway puts before it, or the whole address of the push API. What stands before
// the path of the API may hold a secret, and errors show "…" for it. New connects
// to nothing: ask Check. The error names every option that is wrong.
func New(address string, opts Options) (*Sink, error) {
	invalid := opts.complete()
	base, err := Root(address, opts.Server)
	if err = errors.Join(err, invalid); err != nil {
		return nil, fmt.Errorf("loki: invalid options: %w", err)
	}
	batches, err := batcher.New(opts.batching())
	if err != nil {
		return nil, fmt.Errorf("loki: %w", err)
	}
	c, err := newClient(base, opts)
	if err != nil {
		return nil, err
	}
	m, release, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("loki: registering metrics: %w", err)
	}
	s := &store{
		opts:    opts,
		client:  c,
		metrics: m,
		release: release,
		batches: batches,
		moved:   lru.New(rememberedPlaces),
		streams: map[streamKey]*stream{},
	}
	if opts.Server == ServerVictoriaLogs && opts.Level == auditing.LevelAcknowledged {
		s.disk = &disk{client: c, takes: toDisk, asking: semaphore.NewWeighted(1)}
	}
	return &Sink{Sink: driver.New(s), store: s}, nil
}

// store is the driver behind a Sink.
type store struct {
	opts    Options
	client  *client
	metrics *metrics
	release func() // of metrics
	disk    *disk  // nil where an answer says enough
	batches *batcher.Batcher[entry]
	moved   *lru.Cache // placements of late events, by namespace and name

	mu      sync.Mutex
	streams map[streamKey]*stream
}

// errClosing is the cause of the end of a request that Close has ended.
var errClosing = batcher.ErrClosed

// Info describes the destination. A Store takes about as many events well as a push
// holds. For VictoriaLogs these are two pushes, which are under way at once, or several
// where a Store waits for the server's disk.
func (s *store) Info() driver.Info {
	info := driver.Info{Name: "loki", Component: s.opts.Component, Level: s.opts.Level, Batch: 1024, Repeats: driver.RepeatsRecognised}
	if s.opts.Server == ServerVictoriaLogs {
		info.Repeats, info.Batch = driver.RepeatsFolded, 2048
	}
	if s.disk != nil {
		info.Batch = 4096
	}
	return info
}

// Close is the Close of Sink.
func (s *store) Close(ctx context.Context) error {
	err := s.batches.Close(ctx)
	ended, end := context.WithCancel(ctx)
	end()
	_ = s.client.Close(ended) // ends what nobody waits for any more
	s.release()
	if err != nil {
		return fmt.Errorf("loki: %w", err)
	}
	return nil
}
