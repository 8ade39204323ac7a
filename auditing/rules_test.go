package auditing

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// sinkFunc is a Sink of one function.
type sinkFunc func(ctx context.Context, ae *v1alpha1.AuditEvent) error

func (f sinkFunc) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error { return f(ctx, ae) }

// hanging returns when its context ends.
var hanging = sinkFunc(func(ctx context.Context, _ *v1alpha1.AuditEvent) error {
	<-ctx.Done()
	return ctx.Err()
})

func TestRulesBoundAWrite(t *testing.T) {
	for name, c := range map[string]struct {
		rules Rules
		want  time.Duration // until Write returns
	}{
		"timeout":          {Rules{Timeout: 3 * time.Second}, 3 * time.Second},
		"caller's":         {Rules{Timeout: time.Hour}, time.Minute},
		"detached":         {Rules{Detach: true}, 10 * time.Second},
		"detached, longer": {Rules{Detach: true, Timeout: 2 * time.Minute}, 2 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			err := WithRules(hanging, c.rules).Write(ctx, denied())
			if took := time.Since(start); took != c.want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v after %s, want %s", name, err, took, c.want)
			}
		})
	}
}

func TestADetachedWriteOutlivesItsCaller(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the caller's"))
	cancel()
	stored := false
	sink := sinkFunc(func(ctx context.Context, _ *v1alpha1.AuditEvent) error {
		stored = ctx.Value(key{}) != nil
		return ctx.Err()
	})
	if err := WithRules(sink, Rules{Detach: true}).Write(ctx, denied()); err != nil || !stored {
		t.Errorf("error %v, with the caller's values %t", err, stored)
	}
	if err := WithRules(sink, Rules{}).Write(ctx, denied()); !errors.Is(err, context.Canceled) {
		t.Errorf("not detached: %v", err)
	}
}

func TestRulesFailOpenForTheirDecisions(t *testing.T) {
	var reported []v1alpha1.AuditDecision
	decisions := []v1alpha1.AuditDecision{v1alpha1.AuditDecisionWarned}
	s := WithRules(bareSink{errRefused}, Rules{
		FailOpen: decisions,
		OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
			if !errors.Is(err, errRefused) {
				t.Errorf("reported %v", err)
			}
			reported = append(reported, ae.Spec.Decision)
		},
	})
	decisions[0] = v1alpha1.AuditDecisionDenied // the rules have a copy
	ae := denied()
	if err := s.Write(t.Context(), ae); !errors.Is(err, errRefused) || len(reported) != 0 {
		t.Errorf("denied: %v, reported %v", err, reported)
	}
	ae.Spec.Decision = v1alpha1.AuditDecisionWarned
	if err := s.Write(t.Context(), ae); err != nil || len(reported) != 1 {
		t.Errorf("warned: %v, reported %v", err, reported)
	}
	if err := s.Write(t.Context(), nil); !errors.Is(err, errRefused) {
		t.Errorf("no event: %v", err)
	}
}

func TestRulesArePrintedAndKeepTheLevel(t *testing.T) {
	all := Rules{Timeout: 3 * time.Second, Detach: true, FailOpen: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionWarned}}
	for _, c := range []struct {
		rules Rules
		level Level
		chain string
	}{
		{Rules{}, LevelAcknowledged, "rules(full)"},
		{Rules{Timeout: time.Second}, LevelAcknowledged, "rules[timeout 1s](full)"},
		{all, LevelNone, "rules[timeout 3s, detached, fails open for warned](full)"},
	} {
		s := WithRules(fullSink{}, c.rules)
		if level, chain := LevelOf(s), Chain(s); level != c.level || chain != c.chain {
			t.Errorf("level %s, chain %s, want %s, %s", level, chain, c.level, c.chain)
		}
	}
}

func denied() *v1alpha1.AuditEvent {
	return NewEvent(EventInput{Kind: "test", Decision: v1alpha1.AuditDecisionDenied, Namespace: "team-a"})
}
