package otlp_test

import (
	"bytes"
	"compress/gzip"
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
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/otlp"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// request is what a receiver got, decoded by OpenTelemetry's own code.
type request struct {
	header  http.Header
	path    string
	body    []byte // as it was sent
	plain   []byte // without compression
	logs    *logspb.LogsData
	records []*logspb.LogRecord
}

// receiver takes OTLP logs, and answers as the test says.
type receiver struct {
	URL    string
	answer func(w http.ResponseWriter, r *request)

	mu       sync.Mutex
	requests []*request
}

// newReceiver starts a receiver. answer may be nil for one that takes everything. A request that OpenTelemetry's decoder does not
// take, or that it would encode in other bytes, fails the test.
func newReceiver(tb testing.TB, answer func(w http.ResponseWriter, r *request)) *receiver {
	tb.Helper()
	rec := &receiver{answer: answer}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := decode(r)
		if err != nil {
			tb.Error(err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		rec.mu.Lock()
		rec.requests = append(rec.requests, req)
		rec.mu.Unlock()
		if rec.answer != nil {
			rec.answer(w, req)
		}
	}))
	tb.Cleanup(server.Close)
	rec.URL = server.URL
	return rec
}

func decode(r *http.Request) (*request, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req := &request{header: r.Header, path: r.URL.Path, body: body, plain: body, logs: &logspb.LogsData{}}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if req.plain, err = io.ReadAll(unpacked); err != nil {
			return nil, err
		}
	}
	if err := proto.Unmarshal(req.plain, req.logs); err != nil { // it has the fields of an ExportLogsServiceRequest
		return nil, err
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(req.logs)
	if err == nil && !bytes.Equal(again, req.plain) {
		err = fmt.Errorf("OpenTelemetry encodes the request otherwise:\n%x\n%x", again, req.plain)
	}
	for _, resource := range req.logs.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			req.records = append(req.records, scope.GetLogRecords()...)
		}
	}
	return req, err
}

// all returns the requests so far.
func (r *receiver) all() []*request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*request(nil), r.requests...)
}

// reasons returns the reason of the event in each record.
func (r *request) reasons(tb testing.TB) (reasons []string) {
	for _, record := range r.records {
		reasons = append(reasons, parse(tb, record.GetBody().GetStringValue()).Spec.Reason)
	}
	return reasons
}

func parse(tb testing.TB, line string) *v1alpha1.AuditEvent {
	tb.Helper()
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal([]byte(line), ae); err != nil {
		tb.Fatalf("a body that is no event: %v: %.200s", err, line)
	}
	return ae
}

func attributes(pairs []*commonpb.KeyValue) map[string]string {
	found := map[string]string{}
	for _, p := range pairs {
		found[p.GetKey()] = p.GetValue().GetStringValue()
	}
	return found
}

// partial writes an ExportLogsServiceResponse in protobuf.
func partial(w http.ResponseWriter, rejected int64, message string) {
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(partialBody(rejected, message))
}

func partialBody(rejected int64, message string) []byte {
	var p []byte
	p = protowire.AppendVarint(protowire.AppendTag(p, 1, protowire.VarintType), uint64(rejected))
	p = protowire.AppendString(protowire.AppendTag(p, 2, protowire.BytesType), message)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), p)
}

// open returns a sink that is closed at the end of the test.
func open(tb testing.TB, address string, opts otlp.Options) *otlp.Sink {
	tb.Helper()
	sink, err := otlp.New(address, opts)
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

var namespaces atomic.Int64

// namespace returns a namespace that no other test uses.
func namespace() string { return fmt.Sprintf("ns-%d-%d", os.Getpid(), namespaces.Add(1)) }

func event(reason string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindEgressBlock, Decision: v1alpha1.AuditDecisionDenied,
		Namespace: "team-a", RunName: "run-1", Reason: reason,
	})
}

// shortly returns a context for a write that should succeed.
func shortly(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// together stores events with these reasons in one request, and returns their errors by reason.
func together(tb testing.TB, sink auditing.Sink, reasons ...string) map[string]error {
	tb.Helper()
	events := make([]*driver.Event, len(reasons))
	for i, reason := range reasons {
		var err error
		if events[i], err = driver.Prepare(event(reason), ""); err != nil {
			tb.Fatal(err)
		}
	}
	outcomes := driver.Of(sink).Store(shortly(tb), events)
	errs := map[string]error{}
	for i, reason := range reasons {
		errs[reason] = nil
		if outcomes != nil {
			errs[reason] = outcomes[i]
		}
	}
	return errs
}

func contains(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			tb.Errorf("%q does not say %q", text, part)
		}
	}
}

// mustFail returns the text of the error of a failed write. The test fails when err is none, or has
// another class.
func mustFail(tb testing.TB, err error, class auditing.Class) string {
	tb.Helper()
	var failed *auditing.WriteError
	if !errors.As(err, &failed) {
		tb.Fatalf("got %v, want a *WriteError", err)
	}
	if failed.Class != class {
		tb.Fatalf("class %s, want %s: %v", failed.Class, class, err)
	}
	return err.Error()
}
