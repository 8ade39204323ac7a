package batcher_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
)

// server takes requests of words. It answers a request when the test lets it, or at once when
// answer is set.
type server struct {
	answer func(words []string) []error

	mu       sync.Mutex
	requests []string // the words of each, joined
	open     []*request
}

// request is one that the server has not answered.
type request struct {
	words   []string
	ended   <-chan struct{} // closed with the context of the request
	answers chan []error
}

func (s *server) send(ctx context.Context, words []string) []error {
	r := &request{words: slices.Clone(words), ended: ctx.Done(), answers: make(chan []error, 1)}
	s.mu.Lock()
	s.requests = append(s.requests, strings.Join(words, " "))
	if s.answer == nil {
		s.open = append(s.open, r)
	}
	s.mu.Unlock()
	if s.answer != nil {
		return s.answer(words)
	}
	select {
	case errs := <-r.answers:
		return errs
	case <-ctx.Done():
		return driver.All(len(words), context.Cause(ctx))
	}
}

// next returns the oldest request that has no answer, once every goroutine waits.
func (s *server) next(t *testing.T) *request {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		t.Fatalf("no request is under way, after %q", s.requests)
	}
	r := s.open[0]
	s.open = s.open[1:]
	return r
}

// sent returns the words of each request so far.
func (s *server) sent() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *server) mustHaveSent(t *testing.T, want ...string) {
	t.Helper()
	if got := s.sent(); !slices.Equal(got, want) {
		t.Errorf("the requests are %q, want %q", got, want)
	}
}

// words returns a Batcher of words, and a queue of it.
func words(t *testing.T, s *server, opts batcher.Options[string]) (*batcher.Batcher[string], *batcher.Queue[string]) {
	t.Helper()
	if opts.Name == nil {
		opts.Name = func(word string) string { return word }
	}
	b, err := batcher.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	q := b.Queue(s.send)
	return b, q
}

// store starts a Store, and returns a channel with its outcomes once every goroutine waits.
func store(ctx context.Context, q *batcher.Queue[string], words ...string) <-chan []error {
	outcomes := make(chan []error, 1)
	go func() { outcomes <- q.Store(ctx, words) }()
	synctest.Wait()
	return outcomes
}

// mustStore fails the test unless the Store behind outcomes has stored everything.
func mustStore(t *testing.T, outcomes <-chan []error) {
	t.Helper()
	synctest.Wait()
	select {
	case errs := <-outcomes:
		if errs != nil {
			t.Errorf("the outcomes are %v, want nil", errs)
		}
	default:
		t.Error("Store has not returned")
	}
}

// mustFail fails the test unless all outcomes have this class, and say this.
func mustFail(t *testing.T, outcomes <-chan []error, class auditing.Class, say ...string) {
	t.Helper()
	synctest.Wait()
	select {
	case errs := <-outcomes:
		if len(errs) == 0 {
			t.Errorf("everything is stored, want class %s", class)
		}
		for _, err := range errs {
			mustBe(t, err, class, say...)
		}
	default:
		t.Error("Store has not returned")
	}
}

func mustBe(t *testing.T, err error, class auditing.Class, say ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("the outcome is nil, want class %s", class)
		return
	}
	if got, _ := driver.ClassOf(err); got != class {
		t.Errorf("class %s, want %s: %v", got, class, err)
	}
	for _, text := range say {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func mustClose(t *testing.T, b *batcher.Batcher[string]) {
	t.Helper()
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

var errAway = errors.New("the server is away")
