package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		os.Exit(runChild(child))
	}
	crlog.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}

// quick returns Options with short pauses.
func quick() spool.Options {
	return spool.Options{MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond}
}

// open returns a Sink that is closed at the end of the test, drained or not.
func open(tb testing.TB, dir string, next auditing.Sink, opts spool.Options) *spool.Sink {
	tb.Helper()
	s, err := spool.New(dir, next, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { abandon(s) })
	return s
}

// abandon closes a Sink without waiting for its deliveries, and waits until its directory
// is free.
func abandon(s *spool.Sink) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Close(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.Close(ctx)
}

// drain closes a Sink after it has delivered everything.
func drain(tb testing.TB, s *spool.Sink) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		tb.Fatalf("Close: %v", err)
	}
}

func event(name string) *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied,
		Namespace: "default", RunName: "run-1", Reason: "reason of " + name,
	})
	ae.Name = name
	return ae
}

// mustWrite writes events named prefix-0, prefix-1, ... and returns the names.
func mustWrite(tb testing.TB, s auditing.Sink, prefix string, n int) []string {
	tb.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
		if err := s.Write(tb.Context(), event(names[i])); err != nil {
			tb.Fatalf("Write: %v", err)
		}
	}
	return names
}

func namesIn(r *sinktest.Recorder) []string {
	var names []string
	for _, ae := range r.Events() {
		names = append(names, ae.Name)
	}
	return names
}

func mustHold(tb testing.TB, r *sinktest.Recorder, want []string) {
	tb.Helper()
	if got := namesIn(r); !slices.Equal(got, want) {
		tb.Fatalf("the destination holds %v, want %v", got, want)
	}
}

// mustFail checks that err is a WriteError of this class and cause; nil for any cause.
func mustFail(tb testing.TB, err error, class auditing.Class, cause error) {
	tb.Helper()
	var failed *auditing.WriteError
	if !errors.As(err, &failed) {
		tb.Fatalf("got %v, want a *WriteError", err)
	}
	if failed.Class != class || cause != nil && !errors.Is(err, cause) {
		tb.Fatalf("class %s, want %s; cause %v wanted: %v", failed.Class, class, cause, err)
	}
}

// eventually fails unless done comes true.
func eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("after 20 s it is still not so that %s", what)
		}
	}
}

// heard collects what a Sink reports to OnFailure and OnDamage.
type heard struct {
	mu      sync.Mutex
	damage  []spool.Damage
	letters []string
	errs    []error
}

func (h *heard) listen(opts spool.Options) spool.Options {
	opts.OnDamage = func(d spool.Damage) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.damage = append(h.damage, d)
	}
	opts.OnFailure = func(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.errs = append(h.errs, err)
		var letter *spool.DeadLetterError
		if errors.As(err, &letter) {
			h.letters = append(h.letters, letter.ID)
		}
	}
	return opts
}

func (h *heard) damages() []spool.Damage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.damage)
}

func (h *heard) deadLetters() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.letters)
}

func (h *heard) failures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.errs)
}
