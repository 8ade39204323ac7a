package auditctrl_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/auditing"
)

// checked is a sink whose Check is the function.
type checked struct {
	auditing.NoopSink
	check func(context.Context) error
}

func (c checked) Check(ctx context.Context) error { return c.check(ctx) }

func TestReadyIsWhatCheckSays(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody)
	if err := auditctrl.Ready(auditing.NoopSink{})(r); err != nil {
		t.Errorf("a sink that cannot tell: %v", err)
	}
	away := errors.New("away")
	if err := auditctrl.Ready(checked{check: func(context.Context) error { return away }})(r); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}

func TestReadyEndsWithTheRequestOrAfterFiveSeconds(t *testing.T) {
	hanging := checked{check: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody)
		if err := auditctrl.Ready(hanging)(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if err := auditctrl.Ready(hanging)(r.WithContext(ctx)); err == nil || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}
