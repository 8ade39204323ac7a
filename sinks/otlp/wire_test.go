package otlp_test

import (
	"bytes"
	"encoding/hex"
	"maps"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/otlp"
)

// full returns an event with all facts that a record has apart from its body.
func full() *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted, Namespace: "team-a", RunName: "run é\n\xff",
		Reason: "a reason", When: time.Unix(1_700_000_000, 123_456_789),
	})
	ae.Name = "tea-1"
	ae.Spec.Actor = &v1alpha1.AuditActor{User: "ann"}
	ae.Spec.Request = &v1alpha1.AuditRequest{ID: "req-7"}
	ae.Spec.Trace = &v1alpha1.AuditTrace{TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7"}
	return ae
}

func TestRecordHasFieldsOfEvent(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	sink := open(t, rec.URL, otlp.Options{
		Component: "broker", ServiceName: "paddock", TenantID: "team-7", ResourceAttributes: map[string]string{"k8s.cluster.name": "eu-1", "a": "é"},
	})
	ae := full()
	if err := sink.Write(shortly(t), ae); err != nil {
		t.Fatal(err)
	}
	got := rec.all()[0]
	if got.path != "/v1/logs" || got.header.Get("Content-Type") != "application/x-protobuf" || got.header.Get("X-Scope-OrgID") != "team-7" {
		t.Errorf("request to %s with %v", got.path, got.header)
	}
	resource := got.logs.GetResourceLogs()[0]
	if want, found := map[string]string{"service.name": "paddock", "k8s.cluster.name": "eu-1", "a": "é"}, attributes(resource.GetResource().GetAttributes()); !maps.Equal(want, found) {
		t.Errorf("resource %v, want %v", found, want)
	}
	if name := resource.GetScopeLogs()[0].GetScope().GetName(); name != "github.com/paddock-dev/audit" {
		t.Errorf("scope %s", name)
	}
	r := got.records[0]
	if at := uint64(1_700_000_000_123_456_789); r.GetTimeUnixNano() != at || r.GetObservedTimeUnixNano() != at {
		t.Errorf("times %d and %d, want %d", r.GetTimeUnixNano(), r.GetObservedTimeUnixNano(), at)
	}
	if r.GetEventName() != "audit.tea-brewed" || r.GetSeverityNumber() != 9 || r.GetSeverityText() != "INFO" {
		t.Errorf("event %s, severity %d %s", r.GetEventName(), r.GetSeverityNumber(), r.GetSeverityText())
	}
	if trace, span := hex.EncodeToString(r.GetTraceId()), hex.EncodeToString(r.GetSpanId()); trace != ae.Spec.Trace.TraceID || span != ae.Spec.Trace.SpanID {
		t.Errorf("trace %s, span %s", trace, span)
	}
	want := map[string]string{
		"log.record.uid": "team-a/tea-1", "event": "tea-1", "namespace": "team-a", "component": "broker", "kind": "tea-brewed",
		"decision": "granted", "run": "run é\n\uFFFD", "user": "ann", "request_id": "req-7",
	}
	if found := attributes(r.GetAttributes()); !maps.Equal(found, want) {
		t.Errorf("attributes %v, want %v", found, want)
	}
	if body := parse(t, r.GetBody().GetStringValue()); body.Name != "tea-1" || body.Spec.Reason != "a reason" || !auditing.EventTime(body).Equal(auditing.EventTime(ae)) {
		t.Errorf("body %v", body)
	}
}

func TestSeverityFollowsDecision(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	sink := open(t, rec.URL, otlp.Options{})
	for decision, want := range map[v1alpha1.AuditDecision]string{
		v1alpha1.AuditDecisionGranted: "INFO", v1alpha1.AuditDecisionWarned: "WARN", v1alpha1.AuditDecisionDenied: "WARN",
	} {
		ae := auditing.NewEvent(auditing.EventInput{Kind: "tea-brewed", Decision: decision, Namespace: "team-a"})
		if err := sink.Write(shortly(t), ae); err != nil {
			t.Fatal(err)
		}
		all := rec.all()
		if r := all[len(all)-1].records[0]; r.GetSeverityText() != want || r.GetSeverityNumber().String() != "SEVERITY_NUMBER_"+want {
			t.Errorf("%s has severity %s, %s", decision, r.GetSeverityText(), r.GetSeverityNumber())
		}
	}
}

func TestOddTimesAndTracesAreText(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	sink := open(t, rec.URL, otlp.Options{})
	for _, at := range []time.Time{time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), time.Unix(0, 0).UTC()} {
		ae := full()
		ae.Spec.Timestamp.Time, ae.Annotations = at, nil
		ae.Spec.Trace = &v1alpha1.AuditTrace{TraceID: "00000000000000000000000000000000", SpanID: "00f067aa0ba902b7"}
		if err := sink.Write(shortly(t), ae); err != nil {
			t.Fatal(err)
		}
		all := rec.all()
		r := all[len(all)-1].records[0]
		found := attributes(r.GetAttributes())
		if r.GetTimeUnixNano() != 0 || r.GetObservedTimeUnixNano() != 0 || found["event_time"] != auditing.EventTime(ae).UTC().Format(time.RFC3339Nano) {
			t.Errorf("%s: time %d, attribute %q", at, r.GetTimeUnixNano(), found["event_time"])
		}
		if r.GetTraceId() != nil || r.GetSpanId() != nil || found["trace_id"] != ae.Spec.Trace.TraceID {
			t.Errorf("trace %x, attribute %q", r.GetTraceId(), found["trace_id"])
		}
	}
}

func TestRepeatHasSameBytes(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	ae := full()
	for range 2 { // by two processes
		if err := open(t, rec.URL, otlp.Options{Component: "broker"}).Write(shortly(t), ae.DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
	if all := rec.all(); len(all) != 2 || !bytes.Equal(all[0].body, all[1].body) {
		t.Errorf("%d requests, and the bytes differ", len(all))
	}
}

func TestCompressedBodyIsPlainBody(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	for _, compression := range []string{"gzip", "none"} {
		if err := open(t, rec.URL, otlp.Options{Compression: compression}).Write(shortly(t), full()); err != nil {
			t.Fatal(err)
		}
	}
	all := rec.all()
	packed, plain := all[0], all[1]
	if packed.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("encodings %v and %v", packed.header, plain.header)
	}
	if !bytes.Equal(packed.plain, plain.body) || len(packed.body) >= len(plain.body) {
		t.Errorf("%d bytes of gzip hold %d, and without it there are %d", len(packed.body), len(packed.plain), len(plain.body))
	}
}
