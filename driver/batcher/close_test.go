package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver/batcher"
)

func TestCloseWaitsAndRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		b, q := words(t, s, batcher.Options[string]{MaxPendingBytes: 1200, MaxItems: 1})
		stores := []<-chan []error{store(t.Context(), q, "a"), store(t.Context(), q, "b"), store(t.Context(), q, "waits for room")}
		closed := make(chan error, 2)
		go func() { closed <- b.Close(t.Context()) }()
		synctest.Wait()
		mustFail(t, store(t.Context(), q, "too late"), auditing.ClassClosed)
		for range stores {
			s.next(t).answers <- nil
		}
		for _, outcomes := range stores {
			mustStore(t, outcomes)
		}
		closed <- b.Close(t.Context()) // a second time
		for range 2 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseNamesWhatStaysUnconfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		name func(string) string
		want string
	}{
		"names":  {nil, "closed with events unconfirmed: a, b, waits: "},
		"number": {func(string) string { return "" }, "closed with 3 events unconfirmed: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{}
				b, q := words(t, s, batcher.Options[string]{MaxPendingBytes: 1200})
				if c.name != nil {
					var err error
					if b, err = batcher.New(batcher.Options[string]{MaxPendingBytes: 1200}); err != nil {
						t.Fatal(err)
					}
					q = b.Queue(s.send)
				}
				under, queued, waits := store(t.Context(), q, "b"), store(t.Context(), q, "a"), store(t.Context(), q, "waits")
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := b.Close(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Close returns %v, want %q", err, c.want)
				}
				mustFail(t, under, auditing.ClassClosed, "the sink was closed")
				mustFail(t, queued, auditing.ClassClosed, "the sink was closed")
				mustFail(t, waits, auditing.ClassClosed, "not sent")
				mustClose(t, b)
			})
		})
	}
}

func TestCloseNamesAHundredAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := words(t, &server{}, batcher.Options[string]{})
		var many []string
		for i := range 103 {
			many = append(many, fmt.Sprintf("%03d", i))
		}
		outcomes := store(t.Context(), q, many...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Close(ctx); err == nil || !strings.Contains(err.Error(), "098, 099, and 3 more: context canceled") {
			t.Errorf("Close returns %v", err)
		}
		mustFail(t, outcomes, auditing.ClassClosed)
	})
}

func TestCloseCutsThePauseShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func([]string) []error { return []error{errAway} }}
		b, q := words(t, s, batcher.Options[string]{Pause: time.Hour})
		mustFail(t, store(t.Context(), q, "a"), auditing.ClassTransient)
		if took := timed(func() { mustClose(t, b) }); took != 0 {
			t.Errorf("Close took %s, want no time", took)
		}
	})
}

func TestContextEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := words(t, &server{}, batcher.Options[string]{})
		ctx, cancel := b.Context(t.Context())
		defer cancel()
		mustClose(t, b)
		synctest.Wait()
		if cause := context.Cause(ctx); !errors.Is(cause, batcher.ErrClosed) {
			t.Errorf("the cause is %v, want ErrClosed", cause)
		}
	})
}
