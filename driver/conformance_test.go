package driver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

// The examples keep the contract.

func TestTheExampleOfADestinationKeepsTheContract(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	open := func(context.Context) (auditing.Sink, error) { return NewFile(path) }
	sinktest.Run(t, sinktest.Harness{
		New: func(ctx context.Context) (sinktest.Subject, error) {
			s, err := open(ctx)
			return sinktest.Subject{Sink: s, Again: open, Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
				data, err := os.ReadFile(path)
				return folded(data), err
			}}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			readOnly, err := os.Open(path)
			return sinktest.Fault{
				Sink:   &File{driver.New(lines{file: readOnly})},
				Caused: func(err error) bool { return errors.Is(err, syscall.EBADF) },
			}, err
		},
		CannotHang: "it waits for nothing but the operating system's memory",
	})
}

// folded returns the events of lines, one of each name.
func folded(data []byte) (events []v1alpha1.AuditEvent) {
	seen := map[string]bool{}
	for line := range bytes.Lines(data) {
		var ae v1alpha1.AuditEvent
		if json.Unmarshal(line, &ae) == nil && !seen[ae.Name] {
			seen[ae.Name] = true
			events = append(events, ae)
		}
	}
	return events
}

func TestTheExampleOfAStageKeepsTheContract(t *testing.T) {
	limit := func(r *sinktest.Recorder) (auditing.Sink, error) { return NewLimit(r, 3) }
	sinktest.Run(t, sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			r := &sinktest.Recorder{}
			s, err := limit(r)
			again := func(context.Context) (auditing.Sink, error) { return limit(r) }
			return sinktest.Subject{Sink: s, Again: again, Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
				return r.Events(), nil
			}}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			r.FailWith(errRefused)
			s, err := limit(r)
			return sinktest.Fault{Sink: s, Caused: func(err error) bool { return errors.Is(err, errRefused) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			s, err := limit(r)
			return sinktest.Fault{Sink: s, Release: r.Hang()}, err
		},
	})
}

// collecting is the server of the example of batches. It holds an event once.
type collecting struct {
	mu   sync.Mutex
	held []byte
	hang chan struct{} // holds every answer until it is closed; nil for none
}

func (c *collecting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.hang != nil {
		<-c.hang
	}
	answer := []string{}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	c.mu.Lock()
	defer c.mu.Unlock()
	for lines.Scan() {
		c.held = append(append(c.held, lines.Bytes()...), '\n')
		answer = append(answer, "")
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// unreachable is a network that is down.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, errRefused }

func TestTheExampleOfBatchesKeepsTheContract(t *testing.T) {
	serve := func(c *collecting) (s *Collector, open func(context.Context) (auditing.Sink, error), end func()) {
		server := httptest.NewServer(c)
		client := func() *http.Client { return &http.Client{Transport: &http.Transport{}} }
		var clients []*http.Client
		opened := func() *Collector {
			clients = append(clients, client())
			return NewCollector(server.URL, clients[len(clients)-1])
		}
		return opened(), func(context.Context) (auditing.Sink, error) { return opened(), nil }, func() {
			for _, c := range clients {
				c.CloseIdleConnections()
			}
			server.Close()
		}
	}
	sinktest.Run(t, sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			c := &collecting{}
			s, again, end := serve(c)
			return sinktest.Subject{Sink: s, Again: again, Release: end, Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
				c.mu.Lock()
				defer c.mu.Unlock()
				return folded(c.held), nil
			}}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			s := NewCollector("http://collector.example", &http.Client{Transport: unreachable{}})
			return sinktest.Fault{Sink: s, Caused: func(err error) bool { return errors.Is(err, errRefused) }}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			c := &collecting{hang: make(chan struct{})}
			s, _, end := serve(c)
			return sinktest.Fault{Sink: s, Release: sync.OnceFunc(func() { close(c.hang); end() })}, nil
		},
	})
}
