package lokiclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/kit/log"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func TestWriteStoresTheEventWithItsLabelsAndMetadata(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	sink := newSink(t, l.URL+"/loki/api/v1/push/", quick)
	ns := namespace()
	ae := event(ns, time.Time{})
	ae.Spec.Reason = "not <allowed> & logged"
	mustWrite(t, sink, ae)
	if err := closeWithin(sink, patience); err != nil {
		t.Fatal(err)
	}
	entries := mustStored(t, l, ns)
	if len(entries) != 1 {
		t.Fatalf("Loki holds %d entries, want 1", len(entries))
	}
	e := entries[0]
	if !e.Time.Equal(auditing.EventTime(ae)) || !strings.Contains(e.Line, ae.Spec.Reason) {
		t.Errorf("stored at %s, want %s: %s", e.Time, auditing.EventTime(ae), e.Line)
	}
	for name, want := range map[string]string{"service_name": "audit", "component": "broker", "namespace": ns} {
		if e.Labels[name] != want || len(e.Labels) != 3 {
			t.Errorf("label %s is %q, want %q, of %v", name, e.Labels[name], want, e.Labels)
		}
	}
	for name, want := range map[string]string{"kind": "egress-block", "decision": "denied", "run": "run-1", "event": ae.Name} {
		if e.Metadata[name] != want {
			t.Errorf("metadata %s is %q, want %q", name, e.Metadata[name], want)
		}
	}
}

func TestTimedOutWriteIsStoredOnceAfterARetry(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	b := mustBusy(t, l)
	ns := namespace()
	taken, waiting := event(ns, time.Time{}), event(ns, time.Time{})
	err := writeWithin(b.sink, 50*time.Millisecond, taken)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "outcome is unknown") {
		t.Fatalf("a write to a busy client returned %v", err)
	}
	err = writeWithin(b.sink, 50*time.Millisecond, waiting)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not handed over") {
		t.Fatalf("a second write to a busy client returned %v", err)
	}
	var writers sync.WaitGroup
	for _, ae := range []*v1alpha1.AuditEvent{taken, waiting} {
		writers.Go(func() {
			if err := writeWithin(b.sink, patience, ae); err != nil {
				t.Error(err)
			}
		})
	}
	b.release()
	writers.Wait()
	if err := closeWithin(b.sink, patience); err != nil {
		t.Fatal(err)
	}
	if got := len(mustStored(t, l, ns)); got != 2 {
		t.Errorf("Loki holds %d entries, want each event once", got)
	}
}

func TestCloseSaysHowManyEntriesHaveNoOutcome(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	b := mustBusy(t, l)
	err := closeWithin(b.sink, 50*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 of 2 entries it took are unconfirmed") {
		t.Fatalf("Close of a busy sink returned %v", err)
	}
	err = writeWithin(b.sink, patience, event(namespace(), time.Time{}))
	if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
		t.Fatalf("a write after Close returned class %s: %v", class, err)
	}
	b.release()
	if err := closeWithin(b.sink, patience); err != nil {
		t.Fatalf("once Loki answered, Close returned %v", err)
	}
	if got := len(mustStored(t, l, "busy")); got != 2 {
		t.Errorf("Loki holds %d entries, want the 2 that the client had", got)
	}
}

func TestSinkDoesNotReportDropsOfAnotherSink(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	good, bad := newSink(t, l.URL, quick), newSink(t, l.URL, quick)
	mustWrite(t, good, event(namespace(), time.Time{}))
	mustWrite(t, bad, event(namespace(), time.Now().Add(-8*24*time.Hour)))
	if err := closeWithin(bad, patience); err == nil || !strings.Contains(err.Error(), "dropped 1 entries") {
		t.Errorf("Close of the sink whose event Loki refused returned %v", err)
	}
	if err := closeWithin(good, patience); err != nil {
		t.Errorf("Close of the other returned %v", err)
	}
}

func TestLoggerGetsEveryRetry(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	if err := l.Kill(); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	opts := quick
	opts.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&lines))
	sink := newSink(t, l.URL, opts)
	mustWrite(t, sink, event(namespace(), time.Time{}))
	if err := closeWithin(sink, patience); err == nil {
		t.Fatal("Close returned nil")
	}
	if got := strings.Count(lines.String(), "will retry"); got != opts.MaxRetries {
		t.Errorf("the client logged %d retries, want %d:\n%s", got, opts.MaxRetries, &lines)
	}
}

func TestMetadataBeyondTheLineLimitIsLeftOutVisibly(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	sink := newSink(t, l.URL, quick)
	ns := namespace()
	ae := event(ns, time.Time{})
	ae.Annotations = map[string]string{"example.com/essay": strings.Repeat(`"`, 140<<10), "example.com/more": "more"}
	mustWrite(t, sink, ae)
	if err := closeWithin(sink, patience); err != nil {
		t.Fatal(err)
	}
	events, err := parse(mustStored(t, l, ns))
	if err != nil || len(events) != 1 {
		t.Fatalf("Loki holds %d events, want 1: %v", len(events), err)
	}
	if got := events[0].Annotations["paddock.dev/omitted"]; !strings.HasPrefix(got, "2 labels, annotations") {
		t.Errorf("the stored event says %q about what was left out", got)
	}
	if len(ae.Annotations) != 3 {
		t.Errorf("the caller's event has %d annotations, want its own 2 and the time", len(ae.Annotations))
	}
}

func TestNewNamesWhatIsWrongWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"http://user:s3cret@loki:3100": "Options.HTTP.BasicAuth",
		"http://s3cret:%zz@loki":       "cannot be parsed",
		"loki:3100":                    "not one of a Loki",
		"http://loki:3100?x=s3cret":    "not one of a Loki",
	} {
		_, err := lokiclient.New(address, lokiclient.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("New(%q) returned %v, want %q", address, err, want)
		}
	}
	for want, opts := range map[string]lokiclient.Options{
		"MaxRetries": {MaxRetries: -1},
		"BatchWait":  {BatchWait: -1},
		"Redirects":  {HTTP: promconfig.HTTPClientConfig{FollowRedirects: true}},
		"basic_auth": {HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{}, BearerToken: "s3cret"}},
	} {
		_, err := lokiclient.New("http://loki:3100", opts)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("New with a wrong %s returned %v", want, err)
		}
	}
}

func TestCloseEscapesServersControlCharacters(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "a\u001b[2Jb\u007fc\u202ed")
	}))
	t.Cleanup(server.Close)
	sink := newSink(t, server.URL, quick)
	if err := writeWithin(sink, patience, event(namespace(), time.Now())); err != nil {
		t.Fatal(err)
	}
	err := closeWithin(sink, patience)
	if err == nil || !strings.Contains(err.Error(), `a\u001b[2Jb\u007fc\u202ed`) {
		t.Errorf("Close returned %q", err)
	}
}

func TestNeitherCloseNorLoggerShowsThePathOfTheAddress(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no page "+r.URL.Path, http.StatusNotFound)
	}))
	t.Cleanup(refusing.Close)
	for _, address := range []string{refusing.URL, "http://127.0.0.1:1"} { // nobody listens on port 1
		var lines strings.Builder
		opts := quick
		opts.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&lines))
		sink := newSink(t, address+"/hunter2-path", opts)
		mustWrite(t, sink, event(namespace(), time.Time{}))
		err := closeWithin(sink, patience)
		if err == nil || !strings.Contains(err.Error(), "dropped 1 entries") || lines.Len() == 0 {
			t.Fatalf("Close returned %v, and the client logged %q", err, &lines)
		}
		if text := err.Error() + lines.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "/loki/api/v1/push") {
			t.Error(text)
		}
	}
}
