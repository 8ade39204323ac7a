package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/webhook"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childJournal); path != "" {
		os.Exit(runReceiver(path))
	}
	os.Exit(testenv.Run(m))
}

// open returns a sink that is closed at the end of the test.
func open(tb testing.TB, address string, opts webhook.Options) *webhook.Sink {
	tb.Helper()
	sink, err := webhook.New(address, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := sink.Close(ctx); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return sink
}

// serve starts a receiver that answers every request with handle.
func serve(tb testing.TB, handle http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(handle)
	tb.Cleanup(server.Close)
	return server.URL
}

func event(reason string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied,
		Namespace: "team-a", RunName: "run-1", Reason: reason,
	})
}

// shortly returns a context for a write that should end soon.
func shortly(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// mustFail fails the test unless err is a WriteError of this class.
func mustFail(tb testing.TB, err error, class auditing.Class) *auditing.WriteError {
	tb.Helper()
	var failed *auditing.WriteError
	if !errors.As(err, &failed) || failed.Class != class {
		tb.Fatalf("got %v, want a WriteError of class %s", err, class)
	}
	return failed
}

func contains(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			tb.Errorf("%q does not say %q", text, part)
		}
	}
}

// memory is a receiver of all modes that keeps what it gets.
type memory struct {
	mu       sync.Mutex
	requests []request
	events   []cloudEvent
}

// request is a request as it came.
type request struct {
	header http.Header
	body   []byte
}

// cloudEvent is what a receiver of any mode makes of an event.
type cloudEvent struct {
	SpecVersion, ID, Source, Type, Subject, Time, DataContentType, Component, Decision string

	Data json.RawMessage
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var events []cloudEvent
	if err == nil {
		events, err = parsed(r.Header, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, request{r.Header, body})
	m.events = append(m.events, events...)
	w.WriteHeader(http.StatusNoContent)
}

// parsed reads the events of a request by the rules of CloudEvents for receivers.
func parsed(h http.Header, body []byte) (events []cloudEvent, err error) {
	switch media := h.Get("Content-Type"); {
	case strings.HasPrefix(media, "application/cloudevents-batch+json"):
		err = json.Unmarshal(body, &events)
	case strings.HasPrefix(media, "application/cloudevents+json"):
		events = make([]cloudEvent, 1)
		err = json.Unmarshal(body, &events[0])
	default:
		e := cloudEvent{DataContentType: media, Data: body}
		for name, to := range map[string]*string{
			"specversion": &e.SpecVersion, "id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject,
			"time": &e.Time, "component": &e.Component, "decision": &e.Decision,
		} {
			if *to, err = decoded(h.Get("ce-" + name)); err != nil {
				return nil, err
			}
		}
		events = append(events, e)
	}
	for _, e := range events {
		if e.SpecVersion != "1.0" || e.ID == "" || e.Source == "" || e.Type == "" {
			return nil, fmt.Errorf("no CloudEvent: %+v", e)
		}
	}
	return events, err
}

// stored returns the audit events that came, folded by what identifies a CloudEvent.
func (m *memory) stored() (events []v1alpha1.AuditEvent, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[identity]bool{}
	for _, e := range m.events {
		if id := (identity{e.Source, e.ID}); !seen[id] {
			seen[id] = true
			var ae v1alpha1.AuditEvent
			if err := json.Unmarshal(e.Data, &ae); err != nil {
				return nil, err
			}
			events = append(events, ae)
		}
	}
	return events, nil
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var secrets = []promconfig.Secret{secret}

// keep keeps events of the handler of the example.
func (m *memory) keep(events []json.RawMessage) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range events {
		var e cloudEvent
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		m.events = append(m.events, e)
	}
	return nil
}
