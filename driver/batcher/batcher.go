package batcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/paddock-dev/audit/driver"
)

// Options of a Batcher. The zero value is valid.
type Options[T any] struct {
	// Size returns how many bytes an item adds to a request, about. nil when only the
	// number of items matters.
	Size func(T) int
	// Name names an item in the error of Close. When nil, the error has their number.
	Name func(T) string
	// Compare orders the items of a request as slices.SortStableFunc does. When nil, they
	// are in the order of their arrival.
	Compare func(a, b T) int

	// MaxItems bounds the items of a request. When 0, only MaxBytes does.
	MaxItems int
	// MaxBytes bounds the bytes of a request, as Size tells them. An item that has more
	// goes alone. 1 MiB when 0.
	MaxBytes int
	// MaxInFlight bounds the requests under way at once, over all queues. 8 when 0.
	MaxInFlight int
	// MaxPerQueue bounds those of one queue. 2 when 0: the server can decode one while it
	// stores the other.
	MaxPerQueue int
	// Crowd is how many items of a queue have to wait before a request is sent beside
	// another one. Fewer wait for its answer, and go together. 256 when 0.
	Crowd int
	// MaxPendingBytes bounds the memory of the items that have no outcome: for each its
	// Size, and 512 bytes more. 16 MiB when 0.
	MaxPendingBytes int64
	// Pause follows a request that has failed and may succeed later, before the same queue
	// sends the next one, so that many writers who try again share it. 50 ms when 0.
	Pause time.Duration
}

// itemMemory is what an item that waits takes beside its bytes, about.
const itemMemory = 512

// Send sends one request with these items, and returns the outcome of each. nil means that
// all of them are stored. It does not try again, except by Again.
//
// Send returns soon after ctx ends, which is when nobody waits for the items any more, or
// with the cause ErrClosed. Several calls may run at the same time. Send may change the items,
// which it gets again after Again, and keeps neither the slice nor an item. A panic is the
// outcome of all items, with the class permanent.
type Send[T any] func(ctx context.Context, items []T) []error

// ErrClosed is the cause of the end of a context when Close has ended it. An error that Send
// returns after that is of auditing.ClassClosed, unless it is permanent.
var ErrClosed = errors.New("the sink was closed before the event was confirmed")

// Batcher bounds what the queues of one destination have under way. Its methods, and those of its
// queues, are safe for concurrent use.
type Batcher[T any] struct {
	opts   Options[T]
	gate   driver.Gate
	flying chan struct{}       // holds a token for each request under way
	room   *semaphore.Weighted // bytes of memory

	life    context.Context // of all requests; Close ends it
	end     context.CancelCauseFunc
	senders sync.WaitGroup
	spares  sync.Pool // of *[]T, emptied slices of earlier requests

	mu          sync.Mutex
	unconfirmed []string // names of items that failed because Close did not wait for them
	lost        int      // the number of them
}

// New returns a Batcher. The error names the options that are negative.
func New[T any](opts Options[T]) (*Batcher[T], error) {
	var errs []error
	for name, value := range map[string]int64{
		"MaxItems": int64(opts.MaxItems), "MaxBytes": int64(opts.MaxBytes), "MaxInFlight": int64(opts.MaxInFlight),
		"MaxPerQueue": int64(opts.MaxPerQueue), "Crowd": int64(opts.Crowd), "MaxPendingBytes": opts.MaxPendingBytes,
		"Pause": int64(opts.Pause),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("batcher: Options.%s is %d: want more than 0, or 0 for its default", name, value))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	opts.MaxBytes = cmp.Or(opts.MaxBytes, 1<<20)
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, 8)
	opts.MaxPerQueue = cmp.Or(opts.MaxPerQueue, 2)
	opts.Crowd = cmp.Or(opts.Crowd, 256)
	opts.MaxPendingBytes = cmp.Or(opts.MaxPendingBytes, 16<<20)
	opts.Pause = cmp.Or(opts.Pause, 50*time.Millisecond)
	b := &Batcher[T]{
		opts:   opts,
		flying: make(chan struct{}, opts.MaxInFlight),
		room:   semaphore.NewWeighted(opts.MaxPendingBytes),
	}
	b.life, b.end = context.WithCancelCause(context.Background())
	return b, nil
}

// Queue returns a new queue, whose items send sends.
func (b *Batcher[T]) Queue(send Send[T]) *Queue[T] { return &Queue[T]{batcher: b, send: send} }

// Enter counts n items as under way until Leave: Close waits for them. After Close it fails
// with auditing.ClassClosed.
func (b *Batcher[T]) Enter(n int) error { return b.gate.Enter(n) }

// Leave ends an Enter of as many items, each of which has its outcome. The error of Close names
// those that have failed after it has ended their requests.
func (b *Batcher[T]) Leave(items []Item[T]) {
	defer b.gate.Leave(len(items))
	if b.life.Err() == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range items {
		if items[i].Err == nil {
			continue
		}
		b.lost++
		if b.opts.Name != nil {
			b.unconfirmed = append(b.unconfirmed, b.opts.Name(items[i].Value))
		}
	}
}

// Context returns a context that ends with ctx, and when Close ends what is under way. Its
// cause is then ErrClosed.
func (b *Batcher[T]) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.life, func() { cancel(context.Cause(b.life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Close refuses new items, and waits until those under way have their outcome. When ctx ends
// first it ends their requests: they fail with auditing.ClassClosed, and the error of Close
// names them. No goroutine is left when it returns. Closing twice is harmless.
func (b *Batcher[T]) Close(ctx context.Context) error {
	err := b.gate.Close(ctx)
	b.end(ErrClosed)
	if err != nil {
		_ = b.gate.Close(context.Background()) // soon: whatever a Store waits for ends with life
		err = b.abandoned(ctx.Err())
	}
	b.senders.Wait()
	return err
}

// abandoned returns an error with the items that Close did not wait for, or nil when there
// are none.
func (b *Batcher[T]) abandoned(cause error) error {
	b.mu.Lock()
	names, lost := b.unconfirmed, b.lost
	b.unconfirmed, b.lost = nil, 0
	b.mu.Unlock()
	if lost == 0 {
		return nil
	}
	if b.opts.Name == nil {
		return fmt.Errorf("closed with %d events unconfirmed: %w", lost, cause)
	}
	slices.Sort(names)
	const most = 100
	if n := len(names) - most; n > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", n))
	}
	return fmt.Errorf("closed with events unconfirmed: %s: %w", strings.Join(names, ", "), cause)
}
