package otlp_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/otlp"
)

// says answers with a status, and a body of a type.
func says(status int, contentType, body string) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, _ *request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestAnswerDecidesClass(t *testing.T) {
	t.Parallel()
	const (
		protobuf, json  = "application/x-protobuf", "application/json"
		unknown, stored = "the outcome is unknown", ""
	)
	stays := otlp.Options{RefusalGrace: -1}
	for _, c := range []struct {
		status      int
		contentType string
		body        string
		opts        otlp.Options
		class       auditing.Class
		says        string // "" for success
	}{
		{200, "", "", stays, "", stored},
		{200, "text/html", "", stays, "", stored},
		{200, protobuf, "\x0a\x00", stays, "", stored},
		{200, protobuf, string(partialBody(0, "soon over")), stays, "", stored},
		{200, "application/json; charset=utf-8", "{}", stays, "", stored},
		{200, json, `{"partialSuccess":{"rejectedLogRecords":"0"}}`, stays, "", stored},
		{200, json, `{"partialSuccess":null,"more":1}`, stays, "", stored},

		{200, protobuf, string(partialBody(1, "no such index")), stays, auditing.ClassPermanent, "rejected 1 of 1 records: no such index"},
		{200, protobuf, string(partialBody(7, "")), stays, auditing.ClassPermanent, "rejected 7 of 1 records: it does not say why"},
		{200, json, `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}`, stays, auditing.ClassPermanent, "rejected 1 of 1 records: no"},
		{200, json, `{"partial_success":{"rejected_log_records":1,"error_message":"no"}}`, stays, auditing.ClassPermanent, "rejected 1 of 1 records: no"},

		{200, protobuf, string(partialBody(-1, "odd")), stays, auditing.ClassTransient, unknown},
		{200, protobuf, "OK", stays, auditing.ClassTransient, "no OTLP answer"},
		{200, protobuf, "\x12\x02hi", stays, auditing.ClassTransient, "no OTLP answer"}, // only an unknown field
		{200, "text/html; charset=utf-8", "<html>log in</html>", stays, auditing.ClassTransient, "no OTLP answer"},
		{200, "", "{}", stays, auditing.ClassTransient, "no OTLP answer"},
		{200, json, `{"error":"log in"}`, stays, auditing.ClassTransient, "no OTLP answer"},
		{200, json, `{"partialSuccess":{"rejectedLogRecords":"many"}}`, stays, auditing.ClassTransient, "no OTLP answer"},
		{200, json, `null`, stays, auditing.ClassTransient, "no OTLP answer"},
		{200, json, strings.Repeat(" ", 65<<10) + "{}", stays, auditing.ClassTransient, "more than 65536 bytes"},
		{201, "", "", stays, auditing.ClassTransient, "only 200 says"},
		{202, json, "{}", stays, auditing.ClassTransient, "only 200 says"},
		{204, "", "", stays, auditing.ClassTransient, "only 200 says"},

		{429, "", "slowly", stays, auditing.ClassTransient, "slowly"},
		{502, "", "", stays, auditing.ClassTransient, "Bad Gateway"},
		{503, "", "", stays, auditing.ClassTransient, "Service Unavailable"},
		{504, "", "", stays, auditing.ClassTransient, "Gateway Timeout"},
		{408, "", "", stays, auditing.ClassTransient, "Request Timeout"},
		{400, "", "bad record", stays, auditing.ClassPermanent, "bad record"},
		{422, "", "bad record", stays, auditing.ClassPermanent, "bad record"},
		{413, "", "", stays, auditing.ClassPermanent, "raise the limit"},
		{500, "", "broken", stays, auditing.ClassPermanent, "OTLP forbids"},
		{501, "", "", stays, auditing.ClassPermanent, "OTLP forbids"},
		{507, "", "", stays, auditing.ClassPermanent, "OTLP forbids"},

		{401, "", "", otlp.Options{}, auditing.ClassTransient, "transient until"},
		{403, "", "", otlp.Options{}, auditing.ClassTransient, "transient until"},
		{404, "", "", otlp.Options{}, auditing.ClassTransient, "transient until"},
		{415, "", "", otlp.Options{}, auditing.ClassTransient, "transient until"},
		{301, "", "", otlp.Options{}, auditing.ClassTransient, "transient until"},
		{401, "", "", stays, auditing.ClassPermanent, "check the credentials"},
		{403, "", "", stays, auditing.ClassPermanent, "check the credentials"},
		{404, "", "", stays, auditing.ClassPermanent, "check the URL"},
		{415, "", "", stays, auditing.ClassPermanent, "415"},
		{307, "", "", stays, auditing.ClassPermanent, "redirects"},
	} {
		rec := newReceiver(t, says(c.status, c.contentType, c.body))
		err := open(t, rec.URL, c.opts).Write(shortly(t), event("one"))
		switch {
		case c.says == stored && err != nil:
			t.Errorf("%d %q: %v", c.status, c.body, err)
		case c.says != stored && err == nil:
			t.Errorf("%d %q is success, want %s", c.status, c.body, c.class)
		case c.says != stored:
			contains(t, mustFail(t, err, c.class), c.says)
		}
	}
}

func TestLostConnectionIsTransient(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, func(http.ResponseWriter, *request) { panic(http.ErrAbortHandler) })
	contains(t, mustFail(t, open(t, rec.URL, otlp.Options{}).Write(shortly(t), event("one")), auditing.ClassTransient), "the outcome is unknown")

	// The answer breaks off: it is not the empty one, and may have been a rejection.
	rec = newReceiver(t, func(w http.ResponseWriter, _ *request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
	})
	contains(t, mustFail(t, open(t, rec.URL, otlp.Options{}).Write(shortly(t), event("one")), auditing.ClassTransient), "the outcome is unknown")
}

func TestRetryAfterIsHandedOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value       string
		least, most time.Duration
	}{
		{"7", 7 * time.Second, 7 * time.Second},
		{time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 50 * time.Minute, time.Hour},
		{"soon", 0, 0},
	} {
		for _, status := range []int{429, 502, 503, 504} {
			rec := newReceiver(t, func(w http.ResponseWriter, _ *request) {
				w.Header().Set("Retry-After", c.value)
				w.WriteHeader(status)
			})
			err := open(t, rec.URL, otlp.Options{}).Write(shortly(t), event("one"))
			if class, pause := driver.ClassOf(err); class != auditing.ClassTransient || pause < c.least || pause > c.most {
				t.Errorf("%d with Retry-After: %s: %s after %s", status, c.value, class, pause)
			}
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t, nil)
	rec := newReceiver(t, func(w http.ResponseWriter, _ *request) {
		w.Header().Set("Location", elsewhere.URL+"/v1/logs")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	sink := open(t, rec.URL, otlp.Options{})
	mustFail(t, sink.Write(shortly(t), event("one")), auditing.ClassTransient)
	if err := sink.Check(shortly(t)); err == nil {
		t.Error("Check takes a redirect for success")
	}
	if n := len(elsewhere.all()); n > 0 {
		t.Errorf("%d requests followed it", n)
	}
}

// refusing answers with partial_success for the records with the reason bad.
func refusing(t *testing.T) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		rejected := int64(0)
		for _, reason := range r.reasons(t) {
			if reason == "bad" {
				rejected++
			}
		}
		partial(w, rejected, fmt.Sprintf("%d are bad", rejected))
	}
}

func TestPartialFailsAllOfRequest(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, refusing(t))
	errs := together(t, open(t, rec.URL, otlp.Options{}), "a", "b", "bad", "c")
	for reason, err := range errs {
		if class, _ := driver.ClassOf(err); err == nil || class != auditing.ClassPermanent {
			t.Fatalf("%s: %v, want a permanent error", reason, err)
		}
		contains(t, err.Error(), "rejected 1 of 4 records, and which is not said: 1 are bad", "Options.ResendPartial")
	}
	if n := len(rec.all()); n != 1 {
		t.Errorf("%d requests, want 1: the protocol forbids a repeat", n)
	}
}

func TestResentPartialFailsOnlyRefusedRecord(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, refusing(t))
	errs := together(t, open(t, rec.URL, otlp.Options{ResendPartial: true}), "a", "b", "bad", "c", "d")
	for reason, err := range errs {
		switch {
		case reason != "bad" && err != nil:
			t.Errorf("%s: %v", reason, err)
		case reason == "bad":
			if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent {
				t.Fatalf("bad: %s: %v", class, err)
			}
			contains(t, err.Error(), "rejected 1 of 1 records: 1 are bad")
		}
	}
}

func TestResentPartialFailsThatWriterAlone(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, refusing(t))
	sink := open(t, rec.URL, otlp.Options{ResendPartial: true})
	var wg sync.WaitGroup
	for i := range 200 {
		reason := fmt.Sprintf("good %d", i)
		if i == 77 {
			reason = "bad"
		}
		wg.Go(func() {
			if err := sink.Write(shortly(t), event(reason)); (err != nil) != (reason == "bad") {
				t.Errorf("%s: %v", reason, err)
			}
		})
	}
	wg.Wait()
}

func TestResentPartialIsUnclearAfterFailure(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	rec := newReceiver(t, func(w http.ResponseWriter, r *request) {
		if requests.Add(1) > 1 {
			w.WriteHeader(http.StatusUnauthorized) // which stores nothing; the request before may have
			return
		}
		partial(w, 1, "one of them")
	})
	for reason, err := range together(t, open(t, rec.URL, otlp.Options{ResendPartial: true}), "a", "b", "c") {
		if class, _ := driver.ClassOf(err); err == nil || class != auditing.ClassTransient {
			t.Fatalf("%s: %v, want a transient error", reason, err)
		}
		contains(t, err.Error(), "the outcome is unknown")
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2: the receiver is not asked for each part", n)
	}
}

func TestRejectionOfAllIsPermanent(t *testing.T) {
	t.Parallel()
	for _, rejected := range []int64{3, 4, 1 << 62} {
		rec := newReceiver(t, func(w http.ResponseWriter, _ *request) { partial(w, rejected, "none") })
		for reason, err := range together(t, open(t, rec.URL, otlp.Options{ResendPartial: true}), "a", "b", "c") {
			if class, _ := driver.ClassOf(err); err == nil || class != auditing.ClassPermanent {
				t.Fatalf("%s: %v, want a permanent error", reason, err)
			}
			contains(t, err.Error(), fmt.Sprintf("rejected %d of 3 records: none", rejected))
		}
		if n := len(rec.all()); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	}
}

func TestTooLargeRequestIsSplit(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, func(w http.ResponseWriter, r *request) {
		if len(r.records) > 2 || slices.Contains(r.reasons(t), "huge") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	for reason, err := range together(t, open(t, rec.URL, otlp.Options{}), "a", "b", "c", "huge", "d", "e", "f") {
		if (err != nil) != (reason == "huge") {
			t.Errorf("%s: %v", reason, err)
		}
		if class, _ := driver.ClassOf(err); reason == "huge" && class != auditing.ClassPermanent {
			t.Errorf("huge: class %s", class)
		}
	}
}

func TestWarningIsHeardOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	rec := newReceiver(t, func(w http.ResponseWriter, r *request) {
		partial(w, 0, "soon over: "+r.reasons(t)[0]+"\x1b[2J")
	})
	sink := open(t, rec.URL, otlp.Options{OnWarning: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, text)
	}})
	for _, reason := range []string{"a", "a", "b"} {
		if err := sink.Write(shortly(t), event(reason)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{`soon over: a\u001b[2J`, `soon over: b\u001b[2J`}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}
}

func TestServersTextIsBoundedAndHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "correct horse battery"
	long := strings.Repeat("long ", 10_000)
	for name, answer := range map[string]func(http.ResponseWriter, *request){
		"rejected": func(w http.ResponseWriter, _ *request) { partial(w, 1, secret+"\x1b[2J "+long) },
		"refused":  says(http.StatusBadRequest, "text/plain", secret+"\x1b[2J "+long),
		"foreign":  says(http.StatusOK, "text/html", secret+"\x1b[2J "),
	} {
		rec := newReceiver(t, answer)
		sink := open(t, rec.URL+"/hunter2", otlp.Options{HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "u", Password: secret}}})
		err := sink.Write(shortly(t), event("one"))
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, "hunter2") || strings.Contains(text, "\x1b") || len(text) > 10_000 {
			t.Errorf("%s: %d bytes: %.300q", name, len(text), text)
		}
	}
}

func TestCheckStoresNothing(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	if err := open(t, rec.URL, otlp.Options{}).Check(shortly(t)); err != nil {
		t.Fatal(err)
	}
	if all := rec.all(); len(all) != 1 || len(all[0].records) != 0 {
		t.Errorf("%d requests", len(all))
	}
	for _, answer := range []func(http.ResponseWriter, *request){
		says(http.StatusUnauthorized, "", ""), says(http.StatusNotFound, "", ""), says(http.StatusServiceUnavailable, "", ""),
		says(http.StatusNoContent, "", ""), says(http.StatusOK, "text/html", "<html>"),
		func(w http.ResponseWriter, _ *request) { partial(w, 1, "no") },
	} {
		rec := newReceiver(t, answer)
		if err := open(t, rec.URL, otlp.Options{}).Check(shortly(t)); err == nil || errors.Is(err, auditing.ErrAuditWrite) {
			t.Errorf("Check: %v", err)
		}
	}
}
