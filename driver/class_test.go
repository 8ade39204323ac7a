package driver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestClassOfReadsTheOutermostMark(t *testing.T) {
	for _, c := range []struct {
		err   error
		class auditing.Class
		after time.Duration
	}{
		{errRefused, auditing.ClassTransient, 0},
		{fmt.Errorf("push: %w", context.DeadlineExceeded), auditing.ClassTimeout, 0},
		{fmt.Errorf("push: %w", context.Canceled), auditing.ClassTimeout, 0},
		{driver.Permanent(errRefused), auditing.ClassPermanent, 0},
		{fmt.Errorf("push: %w", driver.Permanent(errRefused)), auditing.ClassPermanent, 0},
		{driver.Permanent(context.Canceled), auditing.ClassPermanent, 0},
		{driver.RetryAfter(errRefused, time.Second), auditing.ClassTransient, time.Second},
		{driver.WithClass(auditing.ClassFull, errRefused), auditing.ClassFull, 0},
		{driver.WithClass(auditing.ClassClosed, driver.Permanent(errRefused)), auditing.ClassClosed, 0},
		{&auditing.WriteError{Class: auditing.ClassTransient, RetryAfter: time.Minute, Err: driver.Permanent(errRefused)}, auditing.ClassTransient, time.Minute},
		{errors.Join(errRefused, driver.Permanent(errRefused)), auditing.ClassPermanent, 0},
	} {
		if class, after := driver.ClassOf(c.err); class != c.class || after != c.after {
			t.Errorf("ClassOf(%v) = %s, %v, want %s, %v", c.err, class, after, c.class, c.after)
		}
	}
}

func TestAMarkOnNoErrorIsNoError(t *testing.T) {
	if driver.Permanent(nil) != nil || driver.RetryAfter(nil, time.Second) != nil || driver.WithClass(auditing.ClassFull, nil) != nil {
		t.Error("marking nil makes an error")
	}
}

func TestAMarkKeepsTextAndCause(t *testing.T) {
	err := driver.Permanent(errRefused)
	if err.Error() != "connection refused" || !errors.Is(err, errRefused) {
		t.Errorf("%v", err)
	}
}

func TestFinalClassesAreThoseThatNoRetryMends(t *testing.T) {
	for class, want := range map[auditing.Class]bool{
		auditing.ClassPermanent: true, auditing.ClassInvalid: true, auditing.ClassClosed: true,
		auditing.ClassTransient: false, auditing.ClassFull: false, auditing.ClassTimeout: false,
	} {
		if got := driver.Final(class); got != want {
			t.Errorf("Final(%s) is %t", class, got)
		}
	}
}
