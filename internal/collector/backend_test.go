package collector_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// answer is how a backend answers.
type answer int

const (
	healthy answer = iota
	away           // 503
	refusing
	rejecting // 200, with a partial success that rejects everything
	flapping  // healthy and away by turns
)

// backend is what the collector exports to. It takes OTLP in JSON.
type backend struct {
	*httptest.Server

	mu     sync.Mutex
	mode   answer
	asked  map[string]int // how often it was sent each event
	stored map[string]bool
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{asked: map[string]int{}, stored: map[string]bool{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

// logs is a request of OTLP.
type logs struct {
	ResourceLogs []struct {
		ScopeLogs []struct {
			LogRecords []record `json:"logRecords"`
		} `json:"scopeLogs"`
	} `json:"resourceLogs"`
}

type record struct {
	Body struct {
		StringValue string `json:"stringValue"`
	} `json:"body"`
}

// request returns the body of a request with these events.
func request(events ...string) string {
	records := make([]string, len(events))
	for i, event := range events {
		records[i] = fmt.Sprintf(`{"body": {"stringValue": %q}}`, event)
	}
	return `{"resourceLogs": [{"scopeLogs": [{"logRecords": [` + strings.Join(records, ", ") + `]}]}]}`
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var sent logs
	if err != nil || json.Unmarshal(text, &sent) != nil {
		http.Error(w, "no OTLP in JSON", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	mode := b.mode
	if mode == flapping {
		mode = answer(rand.IntN(2))
	}
	rejected := 0
	for _, resource := range sent.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, one := range scope.LogRecords {
				rejected++
				b.asked[one.Body.StringValue]++
				if mode == healthy {
					b.stored[one.Body.StringValue] = true
				}
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	switch mode {
	case away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case refusing:
		w.WriteHeader(http.StatusBadRequest)
	case rejecting:
		_, _ = fmt.Fprintf(w, `{"partialSuccess": {"rejectedLogRecords": "%d", "errorMessage": "none of these"}}`, rejected)
	default:
		_, _ = io.WriteString(w, "{}")
	}
}

func (b *backend) answers(how answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = how
}

func (b *backend) has(event string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stored[event]
}

// wasSent returns how often the backend was sent an event.
func (b *backend) wasSent(event string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[event]
}

// forget drops what the backend has.
func (b *backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.asked)
	clear(b.stored)
}
