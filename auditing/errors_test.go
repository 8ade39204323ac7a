package auditing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var errRefused = errors.New("connection refused")

func TestClassOfReadsTheOutermostMark(t *testing.T) {
	for _, c := range []struct {
		err   error
		class Class
		after time.Duration
	}{
		{errRefused, ClassTransient, 0},
		{fmt.Errorf("push: %w", context.DeadlineExceeded), ClassTimeout, 0},
		{fmt.Errorf("push: %w", context.Canceled), ClassTimeout, 0},
		{Permanent(errRefused), ClassPermanent, 0},
		{fmt.Errorf("push: %w", Permanent(errRefused)), ClassPermanent, 0},
		{RetryAfter(errRefused, time.Second), ClassTransient, time.Second},
		{WithClass(ClassFull, errRefused), ClassFull, 0},
		{WithClass(ClassClosed, Permanent(errRefused)), ClassClosed, 0},
		{&WriteError{Class: ClassTransient, RetryAfter: time.Minute, Err: Permanent(errRefused)}, ClassTransient, time.Minute},
		{errors.Join(errRefused, Permanent(errRefused)), ClassPermanent, 0},
	} {
		if class, after := ClassOf(c.err); class != c.class || after != c.after {
			t.Errorf("ClassOf(%v) = %s, %v, want %s, %v", c.err, class, after, c.class, c.after)
		}
	}
}

func TestAMarkOnNoErrorIsNoError(t *testing.T) {
	if Permanent(nil) != nil || RetryAfter(nil, time.Second) != nil || WithClass(ClassFull, nil) != nil {
		t.Error("marking nil makes an error")
	}
}

func TestAMarkKeepsTextAndCause(t *testing.T) {
	err := Permanent(errRefused)
	if err.Error() != "connection refused" || !errors.Is(err, errRefused) {
		t.Errorf("%v", err)
	}
}

func TestAWriteErrorSaysWhatFailedForWhichEventAndWhy(t *testing.T) {
	inner := &WriteError{Sink: "loki", Event: "team-a/ae-1", Class: ClassPermanent, Err: errors.New("push refused: 401: check tenantID")}
	for _, c := range []struct {
		err  *WriteError
		want string
	}{
		{
			&WriteError{Sink: "kube", Event: "team-a/ae-1", Class: ClassTransient, Err: errRefused},
			"audit write failed: event team-a/ae-1: kube: transient: connection refused",
		},
		{
			&WriteError{Sink: "kube", Class: ClassPermanent, Err: field.Required(field.NewPath("spec", "kind"), "a DNS label")},
			"audit write failed: kube: permanent: spec.kind: Required value: a DNS label",
		},
		{
			&WriteError{Sink: "retry", Event: "team-a/ae-1", Class: ClassPermanent, Err: inner},
			"audit write failed: event team-a/ae-1: retry: permanent: loki: permanent: push refused: 401: check tenantID",
		},
		{
			&WriteError{Sink: "multi", Event: "team-a/ae-1", Class: ClassPermanent, Err: &WriteError{
				Sink: "retry", Event: "team-a/ae-1", Class: ClassPermanent, Err: inner,
			}},
			"audit write failed: event team-a/ae-1: multi: permanent: retry: permanent: loki: permanent: push refused: 401: check tenantID",
		},
		{
			&WriteError{Sink: "spool", Event: "team-a/ae-2", Class: ClassFull, Err: inner},
			"audit write failed: event team-a/ae-2: spool: full: audit write failed: event team-a/ae-1: loki: permanent: push refused: 401: check tenantID",
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if !errors.Is(c.err, ErrAuditWrite) || !errors.Is(c.err, c.err.Err) {
			t.Errorf("%v does not unwrap to ErrAuditWrite and its cause", c.err)
		}
	}
}
