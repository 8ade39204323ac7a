package webhook_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/webhook"
)

func TestEveryStatusHasItsMeaning(t *testing.T) {
	t.Parallel()
	const stored = auditing.Class("") // no error
	permanent, transient := auditing.ClassPermanent, auditing.ClassTransient
	for _, c := range []struct {
		status                      int
		accepted, acknowledged, now auditing.Class // by level, and for acknowledged without a grace
		says                        string
	}{
		{200, stored, stored, stored, ""},
		{201, stored, stored, stored, ""},
		{202, stored, permanent, permanent, "only accepted"},
		{203, transient, transient, transient, ""},
		{204, stored, stored, stored, ""},
		{206, transient, transient, transient, ""},
		{301, transient, transient, permanent, "redirects"},
		{307, transient, transient, permanent, "redirects"},
		{400, permanent, permanent, permanent, "some text"},
		{401, transient, transient, permanent, "credentials"},
		{403, transient, transient, permanent, "credentials"},
		{404, transient, transient, permanent, "check the URL"},
		{405, transient, transient, permanent, "check the URL"},
		{407, transient, transient, permanent, "proxy"},
		{408, transient, transient, transient, ""},
		{410, permanent, permanent, permanent, "no more events"},
		{413, permanent, permanent, permanent, "size of a request"},
		{415, transient, transient, permanent, "Options.Mode"},
		{422, permanent, permanent, permanent, ""},
		{429, transient, transient, transient, ""},
		{500, transient, transient, transient, ""},
		{501, transient, transient, transient, ""},
		{502, transient, transient, transient, ""},
		{503, transient, transient, transient, ""},
		{504, transient, transient, transient, ""},
	} {
		var elsewhere atomic.Int64
		other := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			elsewhere.Add(1)
			w.WriteHeader(http.StatusNoContent)
		})
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other)
			w.WriteHeader(c.status)
			if c.status != http.StatusNoContent {
				fmt.Fprint(w, "some \x1b[2Jtext", "\nsome text")
			}
		})
		for name, try := range map[string]struct {
			opts webhook.Options
			want auditing.Class
		}{
			"accepted":     {webhook.Options{}, c.accepted},
			"acknowledged": {webhook.Options{Level: auditing.LevelAcknowledged}, c.acknowledged},
			"no grace":     {webhook.Options{Level: auditing.LevelAcknowledged, RefusalGrace: -1}, c.now},
		} {
			err := open(t, address, try.opts).Write(shortly(t), event("because"))
			if try.want == stored {
				if err != nil {
					t.Errorf("%d, %s: %v", c.status, name, err)
				}
				continue
			}
			failed := mustFail(t, err, try.want)
			contains(t, failed.Error(), fmt.Sprint(c.status), c.says)
			if strings.ContainsRune(failed.Error(), '\x1b') {
				t.Errorf("%d, %s: %q reaches a terminal", c.status, name, failed)
			}
		}
		if elsewhere.Load() > 0 {
			t.Errorf("%d: a redirect was followed", c.status)
		}
	}
}

func TestNothingIsSentAfter410(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	sink := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusGone)
		}
	}), webhook.Options{})
	for i, says := range []string{"refused: 410", "answered 410 Gone at", "answered 410 Gone at"} {
		contains(t, mustFail(t, sink.Write(shortly(t), event("because")), auditing.ClassPermanent).Error(), says)
		if i > 0 && sink.Check(shortly(t)) == nil {
			t.Error("Check passes")
		}
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestNothingIsSentBeforeRetryAfter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		var requests atomic.Int64
		sink := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(status)
		}), webhook.Options{})
		err := sink.Write(shortly(t), event("because"))
		if class, pause := driver.ClassOf(err); class != auditing.ClassTransient || pause != 24*time.Hour {
			t.Errorf("%d: class %s, pause %s", status, class, pause)
		}
		err = sink.Write(shortly(t), event("because"))
		if class, pause := driver.ClassOf(err); class != auditing.ClassTransient || pause <= 0 || pause > 10*time.Minute {
			t.Errorf("%d: class %s, pause %s", status, class, pause)
		}
		contains(t, err.Error(), "not sent", "asked to wait until")
		if n := requests.Load(); n != 1 {
			t.Errorf("%d: %d requests were sent", status, n)
		}
	}
}

func TestRetryWaitsAsReceiverAsks(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	next := open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}), webhook.Options{})
	sink, err := retry.New(next, retry.Options{Within: 15 * time.Second, Timeout: 15 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Write(shortly(t), event("because")); err != nil || requests.Load() != 2 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

// batch writes events with these reasons at once, and returns the outcomes.
func batch(t *testing.T, sink *webhook.Sink, names ...string) []error {
	t.Helper()
	events := make([]*driver.Event, len(names))
	for i, name := range names {
		events[i] = webhook.Prepared(t, name, "run-1")
	}
	return driver.Of(sink).Store(shortly(t), events)
}

func TestTooLargeBatchIsSplit(t *testing.T) {
	t.Parallel()
	m := &memory{}
	var refused atomic.Int64
	sink := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.Count(string(body), `"specversion"`) > 2 {
			refused.Add(1)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		m.ServeHTTP(w, r)
	}), webhook.Options{Mode: webhook.ModeBatch})
	if errs := batch(t, sink, "ae-1", "ae-2", "ae-3", "ae-4", "ae-5"); errs != nil {
		t.Fatal(errs)
	}
	var ids []string
	for _, e := range m.events {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"ae-1", "ae-2", "ae-3", "ae-4", "ae-5"}) || refused.Load() != 2 {
		t.Errorf("the receiver has %v, and refused %d requests", ids, refused.Load())
	}
}

func TestOnlyRefusedEventOfBatchFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity} {
		m := &memory{}
		sink := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && strings.Contains(string(body), `"id":"bad"`) {
				w.WriteHeader(status)
				return
			}
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			m.ServeHTTP(w, r)
		}), webhook.Options{Mode: webhook.ModeBatch})
		names := []string{"ae-1", "ae-2", "bad", "ae-4", "ae-5"}
		errs := batch(t, sink, names...)
		if len(errs) != len(names) {
			t.Fatalf("outcomes %v", errs)
		}
		for i, err := range errs {
			if class, _ := driver.ClassOf(err); (err != nil) != (names[i] == "bad") || err != nil && class != auditing.ClassPermanent {
				t.Errorf("%d: %s: %v", status, names[i], err)
			}
		}
		if len(m.events) != len(names)-1 {
			t.Errorf("%d: the receiver has %d events", status, len(m.events))
		}
	}
}
