package otlp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/otlp"
)

// harness is that of sinks to a receiver at address.
func harness(address string, opts otlp.Options, stored func(context.Context) ([]v1alpha1.AuditEvent, error)) sinktest.Harness {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			sink, err := otlp.New(address, opts)
			return sinktest.Subject{
				Sink:    sink,
				Stored:  stored,
				Again:   func(context.Context) (auditing.Sink, error) { return otlp.New(address, opts) },
				Release: http.DefaultTransport.(*http.Transport).CloseIdleConnections, //nolint:forcetypeassert // of testenv's queries
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, err := otlp.New(closed.URL, opts)
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) { return hanging(opts) },
	}
}

// hanging returns a sink that writes to a receiver which does not answer before its release.
func hanging(opts otlp.Options) (sinktest.Fault, error) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	sink, err := otlp.New(server.URL, opts)
	return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(release); server.Close() })}, err
}

// fold returns the events in the bodies of records: one event for those with the same
// log.record.uid, which have to be the same.
func fold(bodies, uids []string) (events []v1alpha1.AuditEvent, err error) {
	known := map[string]string{}
	for i, body := range bodies {
		if first, found := known[uids[i]]; found {
			if first != body {
				return nil, fmt.Errorf("two records of %s differ:\n%s\n%s", uids[i], first, body)
			}
			continue
		}
		known[uids[i]] = body
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(body), &ae); err != nil {
			return nil, fmt.Errorf("a body that is no event: %w", err)
		}
		if uid := ae.Namespace + "/" + ae.Name; uid != uids[i] {
			return nil, fmt.Errorf("the event %s has the uid %s", uid, uids[i])
		}
		events = append(events, ae)
	}
	return events, nil
}

func TestConformance(t *testing.T) {
	for _, opts := range []otlp.Options{{}, {Level: auditing.LevelAcknowledged, ResendPartial: true, Compression: "none"}} {
		t.Run("level="+opts.StatedLevel().String(), func(t *testing.T) {
			rec := newReceiver(t, nil)
			sinktest.Run(t, harness(rec.URL, opts, func(context.Context) ([]v1alpha1.AuditEvent, error) {
				var bodies, uids []string
				for _, req := range rec.all() {
					for _, r := range req.records {
						bodies = append(bodies, r.GetBody().GetStringValue())
						uids = append(uids, attributes(r.GetAttributes())["log.record.uid"])
					}
				}
				return fold(bodies, uids)
			}))
		})
	}
}

// logsOfVictoria is the address at which VictoriaLogs takes OTLP.
func logsOfVictoria(v *testenv.VictoriaLogs) string {
	return v.URL + "/insert/opentelemetry/v1/logs"
}

// storedIn reads the events of a service back from VictoriaLogs.
func storedIn(v *testenv.VictoriaLogs, service string) func(context.Context) ([]v1alpha1.AuditEvent, error) {
	return func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
		rows, err := v.Query(ctx, "", fmt.Sprintf("{service.name=%q}", service), time.Now().Add(-7*24*time.Hour), time.Now().Add(2*24*time.Hour))
		if err != nil {
			return nil, err
		}
		var bodies, uids []string
		for _, r := range rows {
			bodies, uids = append(bodies, r.Line), append(uids, r.Fields["log.record.uid"])
		}
		return fold(bodies, uids)
	}
}

func TestConformanceWithVictoriaLogs(t *testing.T) {
	v := testenv.SharedVictoriaLogs(t)
	opts := otlp.Options{ServiceName: namespace()}
	sinktest.Run(t, harness(logsOfVictoria(v), opts, storedIn(v, opts.ServiceName)))
}

func TestVictoriaLogsHasFieldsOfRecord(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	service := namespace()
	// With this attribute the rows have the label by which the readers of package vlsource select.
	opts := otlp.Options{Component: "broker", ServiceName: service, ResourceAttributes: map[string]string{"service_name": service}}
	sink := open(t, logsOfVictoria(v), opts)
	if err := sink.Check(shortly(t)); err != nil {
		t.Fatal(err)
	}
	ae := full()
	ae.Spec.Timestamp.Time, ae.Annotations = time.Now().Add(-time.Minute), nil
	if err := sink.Write(shortly(t), ae); err != nil {
		t.Fatal(err)
	}
	rows, err := v.Query(shortly(t), "", fmt.Sprintf("{service.name=%q} decision:=granted kind:=tea-brewed", service), time.Now().Add(-time.Hour), time.Now())
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	if !rows[0].Time.Equal(auditing.EventTime(ae)) {
		t.Errorf("time %s, want %s", rows[0].Time, auditing.EventTime(ae))
	}
	for name, want := range map[string]string{
		"event": "tea-1", "log.record.uid": "team-a/tea-1", "component": "broker", "namespace": "team-a", "user": "ann", "request_id": "req-7",
		"trace_id": ae.Spec.Trace.TraceID, "span_id": ae.Spec.Trace.SpanID, "severity_text": "INFO", "event_name": "audit.tea-brewed",
	} {
		if got := rows[0].Fields[name]; got != want {
			t.Errorf("field %s is %q, want %q", name, got, want)
		}
	}
	source, err := vlsource.New("lake", v.URL, vlsource.Options{ServiceName: service})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for record, err := range source.Read(shortly(t), &reading.Query{Since: time.Now().Add(-time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Event.Name == "tea-1" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("vlsource reads %d events, want 1", found)
	}
}

// withoutQueue is the configuration of a collector whose 200 says that its backend has answered 200.
const withoutQueue = `
receivers: {otlp: {protocols: {http: {endpoint: ` + testenv.OTelColAddress + `}}}}
exporters:
  otlp_http:
    logs_endpoint: %s
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
service:
  pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}}
`

func TestConformanceWithCollector(t *testing.T) {
	v := testenv.SharedVictoriaLogs(t)
	collector := testenv.NewOTelCol(t, fmt.Sprintf(withoutQueue, logsOfVictoria(v)))
	opts := otlp.Options{ServiceName: namespace(), Level: auditing.LevelAcknowledged}
	sink := open(t, collector.URL, opts)
	if err := sink.Check(shortly(t)); err != nil {
		t.Fatal(err)
	}
	sinktest.Run(t, harness(collector.URL, opts, storedIn(v, opts.ServiceName)))
}
