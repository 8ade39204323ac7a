package guides_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// Ledger is a sink that posts events, one a line, to a server that answers 201 when it has stored them.
type Ledger struct{ driver.Sink }

// NewLedger returns a sink that posts to address. Close it at the end.
func NewLedger(address string, opts httpdriver.Options) (*Ledger, error) {
	opts.Name = "ledger"
	client, err := httpdriver.New(address, opts)
	if err != nil {
		return nil, err
	}
	batches, err := batcher.New(batcher.Options[*driver.Event]{
		MaxItems: maxLines, Size: func(e *driver.Event) int { return len(e.JSON()) + 1 }, Name: (*driver.Event).Ref,
	})
	if err != nil {
		return nil, err
	}
	l := &ledger{client: client, batches: batches}
	l.queue = batches.Queue(l.send)
	return &Ledger{driver.New(l)}, nil
}

// maxLines is how many events the server takes in one request.
const maxLines = 500

type ledger struct {
	client  *httpdriver.Client
	batches *batcher.Batcher[*driver.Event]
	queue   *batcher.Queue[*driver.Event]
}

func (*ledger) Info() driver.Info {
	return driver.Info{Name: "ledger", Level: auditing.LevelAcknowledged, Batch: maxLines}
}

func (l *ledger) Store(ctx context.Context, events []*driver.Event) []error {
	return l.queue.Store(ctx, events)
}

func (l *ledger) send(ctx context.Context, events []*driver.Event) []error {
	var body []byte
	for _, e := range events {
		body = append(e.AppendJSON(body), '\n')
	}
	answer := l.client.Post(ctx, body, http.Header{"Content-Type": {"application/x-ndjson"}})
	if answer.Verdict == httpdriver.Refused {
		return driver.All(len(events), batcher.Again(answer.Err)) // one of them is bad, and the answer does not say which
	}
	return driver.All(len(events), answer.Err)
}

func (l *ledger) Check(ctx context.Context) error { return l.client.Probe(ctx) }

func (l *ledger) Close(ctx context.Context) error {
	return errors.Join(l.batches.Close(ctx), l.client.Close(ctx))
}

// server is a ledger in memory. It takes a name once, and refuses requests with an event of the kind prompt-submitted.
type server struct {
	*httptest.Server

	mu     sync.Mutex
	stored map[string]v1alpha1.AuditEvent
}

func newServer() *server {
	s := &server{stored: map[string]v1alpha1.AuditEvent{}}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var events []v1alpha1.AuditEvent
	for lines := bufio.NewReader(r.Body); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var ae v1alpha1.AuditEvent
		if json.Unmarshal(line, &ae) != nil || ae.Spec.Kind == v1alpha1.AuditKindPromptSubmitted {
			http.Error(w, "no prompts here", http.StatusUnprocessableEntity)
			return
		}
		events = append(events, ae)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ae := range events {
		s.stored[ae.Name] = ae
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *server) events(context.Context) (all []v1alpha1.AuditEvent, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ae := range s.stored {
		all = append(all, ae)
	}
	return all, nil
}

func Example_sink() {
	server := newServer()
	defer server.Close()
	sink, err := NewLedger(server.URL, httpdriver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(sink, "is", sink.Level(), "and answers a check with", sink.Check(ctx))

	run := auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}
	var batch []*driver.Event // as a spool with a backlog hands it on
	for _, ae := range []*v1alpha1.AuditEvent{
		auditing.NewRunCompleted(run),
		auditing.NewPromptSubmitted(auditing.PromptAuditInput{RunName: "hr-1", Namespace: "team-a"}),
		auditing.NewRunFailed(run),
	} {
		e, err := driver.Prepare(ae, "")
		if err != nil {
			fmt.Println(err)
			return
		}
		batch = append(batch, e)
	}
	for i, err := range driver.Of(sink).Store(ctx, batch) {
		if err == nil {
			fmt.Println(batch[i].Kind(), "is stored")
			continue
		}
		class, _ := driver.ClassOf(err)
		fmt.Println(batch[i].Kind(), "is refused:", class)
	}
	fmt.Println("closed:", sink.Close(ctx))
	// Output:
	// ledger is acknowledged and answers a check with <nil>
	// run-completed is stored
	// prompt-submitted is refused: permanent
	// run-failed is stored
	// closed: <nil>
}

func TestLedgerKeepsTheContract(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, sinktest.Harness{New: stored, Failing: failing, Hanging: hanging})
}

// stored returns a ledger, and a function that reads its server.
func stored(context.Context) (sinktest.Subject, error) {
	server := newServer()
	open := func(context.Context) (auditing.Sink, error) { return NewLedger(server.URL, httpdriver.Options{}) }
	sink, err := open(context.Background())
	return sinktest.Subject{Sink: sink, Stored: server.events, Again: open, Release: server.Close}, err
}

// failing returns a ledger whose server always answers 500.
func failing(context.Context) (sinktest.Fault, error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no page left", http.StatusInternalServerError)
	}))
	sink, err := NewLedger(server.URL, httpdriver.Options{})
	caused := func(err error) bool { return strings.Contains(err.Error(), "no page left") }
	return sinktest.Fault{Sink: sink, Caused: caused, Release: server.Close}, err
}

// hanging returns a ledger whose server does not answer before Release.
func hanging(context.Context) (sinktest.Fault, error) {
	released := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	}))
	sink, err := NewLedger(server.URL, httpdriver.Options{})
	release := sync.OnceFunc(func() {
		close(released)
		server.Close()
	})
	return sinktest.Fault{Sink: sink, Release: release}, err
}
