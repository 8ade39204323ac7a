package retry_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

func TestErrorUnwrapsToEveryKindOfFailedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(syscall.ECONNREFUSED, syscall.ECONNREFUSED, syscall.ECONNRESET, driver.Permanent(syscall.EPERM))
		err := newSink(t, next, retry.Options{}).Write(t.Context(), event())
		_, re := failed(t, err, auditing.ClassPermanent)
		if re.Attempts != 4 {
			t.Errorf("%d attempts, want 4", re.Attempts)
		}
		for _, cause := range []error{syscall.EPERM, syscall.ECONNRESET, syscall.ECONNREFUSED, auditing.ErrAuditWrite} {
			if !errors.Is(err, cause) {
				t.Errorf("%v does not unwrap to %v", err, cause)
			}
		}
		if text := err.Error(); strings.Count(text, "refused") != 1 || !strings.Contains(text, "4 attempts in ") {
			t.Errorf("the error is %q", text)
		}
	})
}

func TestAnErrorKeepsFewCausesHoweverManyAttemptsThereWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers()
		for i := range 100 {
			next.answers = append(next.answers, func(context.Context) error { return errors.New("port " + strings.Repeat("1", i)) })
		}
		sink := newSink(t, next, retry.Options{Within: time.Hour, MaxAttempts: 100})
		_, re := failed(t, sink.Write(t.Context(), event()), auditing.ClassTransient)
		if n := len(re.Unwrap()); n != 8 {
			t.Errorf("%d causes, want 8", n)
		}
	})
}

func TestAnErrorThatNobodyMadeCanBePrinted(t *testing.T) {
	var e retry.Error
	if e.Error() != "0 attempts in 0s" || e.Unwrap() != nil {
		t.Errorf("%v, unwraps to %v", &e, e.Unwrap())
	}
}

// A write that succeeds in the end counts as no failure, and any other as one failure.
func TestAFailedWriteCountsOnceHoweverManyAttemptsWereMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		if err := auditing.RegisterMetrics(reg); err != nil {
			t.Fatal(err)
		}
		const component = "retry-counts-once"
		count := func(next auditing.Sink) float64 {
			before := failures(t, reg, component)
			_ = newSink(t, next, retry.Options{Component: component, MaxAttempts: 5}).Write(t.Context(), event())
			return failures(t, reg, component) - before
		}
		if n := count(answers(syscall.EIO, syscall.EIO, nil)); n != 0 {
			t.Errorf("a write that succeeded at the third attempt counts %v failures", n)
		}
		if n := count(answers(syscall.EIO)); n != 1 {
			t.Errorf("a write that failed five times counts %v failures", n)
		}
	})
}

func failures(tb testing.TB, reg prometheus.Gatherer, component string) (sum float64) {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "paddock_audit_write_failures_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "component" && l.GetValue() == component {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
