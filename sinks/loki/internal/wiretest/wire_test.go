package wiretest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

// TestGrafanasDecoderReadsWhatIsSent also encodes what it has read, with
// Grafana's encoder, and compares the bytes.
func TestGrafanasDecoderReadsWhatIsSent(t *testing.T) {
	var mu sync.Mutex
	var requests []push.PushRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := decode(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, request)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	sink, err := loki.New(server.URL, loki.Options{ProveEvery: -1, Component: "broker", Labels: map[string]string{"odd": "a\"b\\c\n\xff"}})
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]*v1alpha1.AuditEvent{}
	var wg sync.WaitGroup
	for i := range 2000 {
		ae := auditing.NewEvent(auditing.EventInput{
			Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionWarned, Namespace: fmt.Sprintf("ns-%d", i%3),
			RunName: "run é\n", Reason: fmt.Sprintf("reason %d", i), When: time.Unix(int64(i)*1e6, int64(i)*499_999),
		})
		ae.Name = fmt.Sprintf("event-%d", i)
		events[ae.Name] = ae
		wg.Go(func() {
			if err := sink.Write(t.Context(), ae); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range requests {
		if len(r.Streams) != 1 {
			t.Fatalf("a request of %d streams, want 1", len(r.Streams))
		}
		for _, e := range r.Streams[0].Entries {
			compare(t, r.Streams[0].Labels, e, events)
		}
	}
	if len(events) > 0 {
		t.Errorf("%d events were not sent", len(events))
	}
}

func decode(body io.Reader) (request push.PushRequest, err error) {
	compressed, err := io.ReadAll(body)
	if err != nil {
		return request, err
	}
	raw, err := snappy.Decode(nil, compressed)
	if err != nil {
		return request, err
	}
	if err := request.Unmarshal(raw); err != nil {
		return request, err
	}
	again, err := request.Marshal()
	if err == nil && !bytes.Equal(again, raw) {
		err = fmt.Errorf("Grafana encodes the request otherwise:\n%x\n%x", again, raw)
	}
	return request, err
}

func compare(t *testing.T, labels string, e push.Entry, events map[string]*v1alpha1.AuditEvent) {
	t.Helper()
	metadata := map[string]string{}
	for _, pair := range e.StructuredMetadata {
		metadata[pair.Name] = pair.Value
	}
	ae := events[metadata["event"]]
	if ae == nil {
		t.Fatalf("an entry of no event, or sent twice: %v", metadata)
	}
	delete(events, ae.Name)
	if !e.Timestamp.Equal(auditing.EventTime(ae)) {
		t.Errorf("timestamp %s, want %s", e.Timestamp, auditing.EventTime(ae))
	}
	if want := fmt.Sprintf(`{component="broker", namespace=%q, odd="a\"b\\c\n?", service_name="audit"}`, ae.Namespace); labels != want {
		t.Errorf("labels %s, want %s", labels, want)
	}
	for name, want := range map[string]string{"kind": "tea-brewed", "decision": "warned", "run": "run é\n"} {
		if metadata[name] != want {
			t.Errorf("metadata %s is %q, want %q", name, metadata[name], want)
		}
	}
}
