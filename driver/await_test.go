package driver_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestAwaitReturnsTheErrorOfTheCall(t *testing.T) {
	if err := driver.Await(t.Context(), func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := driver.Await(t.Context(), func() error { return errRefused }); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
}

func TestAwaitReturnsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	err := driver.Await(ctx, func() error { <-release; return nil })
	if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("class %s: %v", class, err)
	}
}

func TestAwaitSurvivesAPanicAndGoexit(t *testing.T) {
	for name, call := range map[string]func() error{
		"panic":  func() error { panic(errRefused) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		if err := driver.Await(t.Context(), call); err == nil || name == "panic" && !errors.Is(err, errRefused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
