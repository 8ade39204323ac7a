package auditctrl_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/paddock-dev/audit/adapters/auditctrl"
)

// closer is an auditing.Closer.
type closer func(context.Context) error

func (c closer) Close(ctx context.Context) error { return c(ctx) }

func TestClosingGivesCloseWhatIsLeftOfTheGrace(t *testing.T) {
	for name, test := range map[string]struct {
		grace, drain time.Duration // drain is how long the manager takes after the end of its context
		want         time.Duration
	}{
		"nothing to wait for":  {10 * time.Second, 0, 10 * time.Second},
		"a part is used":       {10 * time.Second, 4 * time.Second, 6 * time.Second},
		"nearly all of it":     {10 * time.Second, 9 * time.Second, 2 * time.Second},
		"more than all of it":  {10 * time.Second, time.Minute, 2 * time.Second},
		"no grace":             {0, 0, 2 * time.Second},
		"a grace below 0":      {-time.Second, 0, 2 * time.Second},
		"ends before it is to": {10 * time.Second, -1, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				next := manager.RunnableFunc(func(ctx context.Context) error {
					if test.drain < 0 {
						time.Sleep(time.Minute)
						return nil
					}
					<-ctx.Done()
					time.Sleep(test.drain)
					return nil
				})
				closed := false
				trail := closer(func(ctx context.Context) error {
					deadline, _ := ctx.Deadline()
					if got := time.Until(deadline); got != test.want || ctx.Err() != nil {
						t.Errorf("Close has %s, want %s: %v", got, test.want, ctx.Err())
					}
					closed = true
					return nil
				})
				if err := auditctrl.Closing(next, trail, test.grace).Start(ctx); err != nil || !closed {
					t.Errorf("closed %t: %v", closed, err)
				}
			})
		})
	}
}

func TestClosingJoinsBothErrors(t *testing.T) {
	failed, unconfirmed := errors.New("manager failed"), errors.New("3 events unconfirmed")
	next := manager.RunnableFunc(func(context.Context) error { return failed })
	err := auditctrl.Closing(next, closer(func(context.Context) error { return unconfirmed }), time.Second).Start(t.Context())
	if !errors.Is(err, failed) || !errors.Is(err, unconfirmed) {
		t.Errorf("got %v", err)
	}
}
