package loki

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// prepared returns a prepared event that holds a text of any length.
func prepared(t *testing.T, namespace, text string) *driver.Event {
	t.Helper()
	detail := map[string]string{}
	for i := range len(text)/4000 + 1 {
		detail[strconv.Itoa(i)] = text[4000*i : min(4000*(i+1), len(text))]
	}
	e, err := driver.Prepare(auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied, Namespace: namespace, Detail: detail,
	}), "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sendBy lets a sink send its pushes by rt.
func sendBy(t *testing.T, sink *Sink, rt http.RoundTripper) {
	t.Helper()
	h, err := httpdriver.New("http://loki.invalid", httpdriver.Options{
		Timeout: sink.store.opts.Timeout, Judge: judge, Wrap: func(http.RoundTripper) http.RoundTripper { return rt },
	})
	if err != nil {
		t.Fatal(err)
	}
	sink.store.client.Client = h
}

// silence is a server that never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestEachWriteEndsWithItsOwnContext(t *testing.T) {
	t.Parallel()
	const pending = 2 << 20 // bytes of events
	synctest.Test(t, func(t *testing.T) {
		sink, err := New("http://loki.invalid", Options{ProveEvery: -1, MaxPendingBytes: pending, Timeout: 10 * time.Minute, MaxInFlight: 1})
		if err != nil {
			t.Fatal(err)
		}
		sendBy(t, sink, silence{})
		start := time.Now()
		var ended []chan []error
		write := func(events ...*driver.Event) {
			done := make(chan []error)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(ended)+1)*time.Second)
			go func() {
				defer cancel()
				done <- driver.Of(sink).Store(ctx, events)
			}()
			synctest.Wait()
			ended = append(ended, done)
		}
		write(prepared(t, "a", "leads"))
		write(prepared(t, "a", "waits for the next push"))
		write(prepared(t, "b", "waits for a slot"), prepared(t, "c", "as well"))
		for n := int64(pending); n > 0; n /= 2 {
			for sink.store.room.TryAcquire(n) {
			}
		}
		// More than the other writes release when they end.
		write(prepared(t, "a", strings.Repeat("waits for room ", 1000)), prepared(t, "b", "as well"))
		for i, want := range []struct {
			class auditing.Class
			text  string
		}{
			{auditing.ClassTimeout, unclear}, {auditing.ClassTimeout, notSent}, {auditing.ClassTimeout, ""}, {auditing.ClassFull, notSent},
		} {
			for _, err := range <-ended[i] {
				if class, _ := driver.ClassOf(err); class != want.class || !strings.Contains(err.Error(), want.text) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("write %d: class %s, want %s and %q: %v", i, class, want.class, want.text, err)
				}
			}
			if after, want := time.Since(start), time.Duration(i+1)*time.Second; after != want {
				t.Errorf("write %d is over after %s, want %s", i, after, want)
			}
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// refusing returns a server that is down, and counts the requests.
type refusing struct{ asked *atomic.Int64 }

func (r refusing) RoundTrip(*http.Request) (*http.Response, error) {
	r.asked.Add(1)
	return nil, syscall.ECONNREFUSED
}

func TestWritersThatTryAgainShareAPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink, err := New("http://loki.invalid", Options{ProveEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		var asked atomic.Int64
		sendBy(t, sink, refusing{&asked})
		event := prepared(t, "a", "x")
		const attempts = 20
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				for range attempts {
					if errs := driver.Of(sink).Store(t.Context(), []*driver.Event{event}); !errors.Is(errs[0], syscall.ECONNREFUSED) {
						t.Errorf("the outcome is %v, want the cause", errs)
					}
				}
			})
		}
		wg.Wait()
		if n := asked.Load(); n > 3*attempts {
			t.Errorf("%d pushes for %d attempts of 1,000 writers, want few for each", n, attempts)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
