package sinktest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

// brokenSinks are all the flaws that the suite has to find.
func brokenSinks() []flaw {
	return slices.Concat(storingFlaws, statingFlaws, failingFlaws, hangingFlaws, owningFlaws, repeatingFlaws, batchFlaws, closingFlaws, leakingFlaws)
}

// check tests a sink with the flaw f against every clause, and returns the clauses
// that reject it. Time is synthetic: waiting takes no time, and a slow machine changes
// no result.
func check(t *testing.T, f flaw) (rejected []*sinktest.Violation) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		defer func() {
			close(until)
			time.Sleep(time.Minute) // synthetic time, in which goroutines that still run can end
		}()
		for _, clause := range sinktest.Clauses() {
			result := clause.Check(t.Context(), f.harness(until))
			if result.NotApplicable != "" {
				t.Logf("%s: not applicable: %s", clause.Name, result.NotApplicable)
			}
			var violation *sinktest.Violation
			if errors.As(result.Err, &violation) {
				rejected = append(rejected, violation)
			}
		}
	})
	return rejected
}

func TestSuitePassesASoundSink(t *testing.T) {
	for name, sound := range map[string]flaw{
		"repeats are folded":     {},
		"repeats are recognised": {recognises: true},
		"repeats are folded by its readers": {folds: true, send: func(s *sink, ctx context.Context, e *driver.Event) error {
			err := s.shelf.answer(ctx)
			if err == nil {
				s.shelf.append(e.Object())
			}
			return err
		}},
		"it has a component":   {info: func(info *driver.Info) { info.Component = "broker" }},
		"it takes few at once": {info: func(info *driver.Info) { info.Batch = 1 }},
		"it knows no driver":   {wrap: func(s *sink) auditing.Sink { return stranger{s, s} }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, violation := range check(t, sound) {
				t.Error(violation)
			}
		})
	}
}

// stranger is a sink whose driver cannot be found, like a sink from outside this project.
type stranger struct {
	auditing.Sink
	behind *sink
}

func (s stranger) Level() auditing.Level           { return s.behind.Level() }
func (s stranger) String() string                  { return "stranger(" + s.behind.String() + ")" }
func (s stranger) Check(ctx context.Context) error { return s.behind.Check(ctx) }
func (s stranger) Close(ctx context.Context) error { return s.behind.Close(ctx) }

func TestEachBrokenSinkIsRejectedByItsClauses(t *testing.T) {
	for _, f := range brokenSinks() {
		t.Run(f.name, func(t *testing.T) {
			if f.races && raceDetector {
				catches(t, f)
				return
			}
			t.Parallel()
			rejected := check(t, f)
			for _, name := range f.breaks {
				if !slices.ContainsFunc(rejected, func(v *sinktest.Violation) bool { return v.Clause.Name == name }) {
					t.Errorf("the clause %q accepts the sink", name)
				}
			}
			for _, violation := range rejected {
				first, _, _ := strings.Cut(violation.Err.Error(), "\n")
				if slices.Contains(f.breaks, violation.Clause.Name) {
					t.Logf("rejected as not a sink that %q: %.200s", violation.Clause.Name, first)
				} else {
					t.Errorf("the clause %q rejects the sink as well: %v", violation.Clause.Name, violation.Err)
				}
			}
		})
	}
}

func TestEveryClauseRejectsSomeBrokenSink(t *testing.T) {
	for _, clause := range sinktest.Clauses() {
		if !slices.ContainsFunc(brokenSinks(), func(f flaw) bool { return f.breaks[0] == clause.Name }) {
			t.Errorf("no broken sink shows that the clause %q can fail", clause.Name)
		}
	}
}

func TestEveryClauseHasAUniqueNameAndAnExplanation(t *testing.T) {
	seen := map[string]bool{}
	for _, clause := range sinktest.Clauses() {
		if clause.Name == "" || seen[clause.Name] {
			t.Errorf("the name %q is empty or not unique", clause.Name)
		}
		seen[clause.Name] = true
		if len(clause.Explanation) < 60 {
			t.Errorf("%s: the explanation is %q", clause.Name, clause.Explanation)
		}
		violation := &sinktest.Violation{Clause: clause, Err: errDisk}
		for _, part := range []string{clause.Name, clause.Explanation, errDisk.Error()} {
			if !strings.Contains(violation.Error(), part) {
				t.Errorf("%s: the violation does not print %q", clause.Name, part)
			}
		}
	}
}
