package sinktest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// inOwnProcess is set in the environment of a process in which a race is expected.
const inOwnProcess = "SINKTEST_EXPECT_RACE"

// late calls send on a goroutine of its own. It returns when ctx ends, and send goes on.
func late(ctx context.Context, send func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- send(context.WithoutCancel(ctx)) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// racyFlaws read or change an event or a batch that belongs to its caller again.
var racyFlaws = []flaw{{
	name:   "reads the event after its context ended",
	breaks: []string{"keeps nothing of the event"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliverWith(ctx, ae, func(ctx context.Context, e *driver.Event) error {
			return late(ctx, func(ctx context.Context) error {
				if err := s.shelf.answer(ctx); err != nil {
					return err
				}
				return s.shelf.keep(e, ae.DeepCopy())
			})
		})
	},
}, {
	name:   "reads the batch after its context ended",
	breaks: []string{"leaves the batch as it is"},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		err := late(ctx, func(ctx context.Context) error {
			if err := s.shelf.answer(ctx); err != nil {
				return err
			}
			for _, e := range events {
				_ = s.shelf.keep(e, e.Object())
			}
			return nil
		})
		return driver.All(len(events), err)
	},
}, {
	name:   "puts the batch in order, and back again",
	breaks: []string{"leaves the batch as it is"},
	store: func(s *sink, ctx context.Context, events []*driver.Event) []error {
		slices.Reverse(events)
		slices.Reverse(events)
		return driver.Each(ctx, events, s.shelf.put)
	},
}}

func TestRaceDetectorCatchesLateReadsAndWrites(t *testing.T) {
	for _, f := range racyFlaws {
		t.Run(f.name, func(t *testing.T) { catches(t, f) })
	}
}

// catches runs the suite on a racy flaw in a process of its own.
func catches(t *testing.T, f flaw) {
	t.Helper()
	if os.Getenv(inOwnProcess) != "" {
		clause := clauseNamed(t, f.breaks[0])
		if result := clause.Check(t.Context(), f.harness(nil)); result.Err != nil {
			t.Log(result.Err)
		}
		return
	}
	if !raceDetector {
		t.Skip("run with -race: without it nobody sees the read")
	}
	parent, name, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+parent+"$/^"+regexp.QuoteMeta(name)+"$", "-test.v")
	cmd.Env = append(os.Environ(), inOwnProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "DATA RACE") {
		t.Errorf("the process ended with %v and saw no race:\n%s", err, out)
	}
}
