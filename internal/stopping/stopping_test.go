package stopping_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/internal/stopping"
)

func TestContextOutlastsItsParentByRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancel(t.Context())
		ctx, cancel := stopping.Context(parent, time.Minute)
		defer cancel()
		time.AfterFunc(time.Second, stop)
		begin := time.Now()
		<-ctx.Done()
		if took := time.Since(begin); took != time.Second+stopping.Requests || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("it ended after %s with %v", took, ctx.Err())
		}
	})
}

func TestContextEndsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := stopping.Context(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		<-ctx.Done()
		if took := time.Since(begin); took != time.Minute || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("it ended after %s with %v", took, ctx.Err())
		}
	})
}

func TestPromptlyLeavesWhatGoesOnBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		if code, ended := stopping.Promptly(ctx, func() int { return 3 }); code != 3 || !ended {
			t.Errorf("%d %t, want 3 of a function that ended", code, ended)
		}
		begin, block := time.Now(), make(chan struct{})
		time.AfterFunc(time.Second, stop)
		_, ended := stopping.Promptly(ctx, func() int { <-block; return 0 })
		if took := time.Since(begin); ended || took != time.Second+stopping.Grace {
			t.Errorf("it ended: %t, after %s", ended, took)
		}
		close(block)
	})
}
