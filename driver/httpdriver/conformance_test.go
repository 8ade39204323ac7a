package httpdriver_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// shelf is a server that stores events, one of each name.
type shelf struct {
	mu     sync.Mutex
	events map[string]v1alpha1.AuditEvent
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	var ae v1alpha1.AuditEvent
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &ae)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[ae.Name] = ae
	w.WriteHeader(http.StatusCreated)
}

func (s *shelf) stored(context.Context) (events []v1alpha1.AuditEvent, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ae := range s.events {
		events = append(events, ae)
	}
	return events, nil
}

func TestTheExampleKeepsTheContract(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			s := &shelf{events: map[string]v1alpha1.AuditEvent{}}
			server := httptest.NewServer(s)
			open := func(context.Context) (auditing.Sink, error) { return NewLedger(server.URL, httpdriver.Options{}) }
			sink, err := open(t.Context())
			return sinktest.Subject{Sink: sink, Again: open, Stored: s.stored, Release: server.Close}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			server := httptest.NewServer(http.NotFoundHandler())
			sink, err := NewLedger(server.URL, httpdriver.Options{})
			caused := func(err error) bool { return strings.Contains(err.Error(), "refused: 404") }
			return sinktest.Fault{Sink: sink, Caused: caused, Release: server.Close}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			answer := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-answer:
					w.WriteHeader(http.StatusCreated)
				case <-r.Context().Done():
				}
			}))
			sink, err := NewLedger(server.URL, httpdriver.Options{})
			return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(answer); server.Close() })}, err
		},
	})
}
