package loki_test

import (
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestWriteStoresTheEventWithItsLabelsAndMetadata(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{Component: "broker", Labels: map[string]string{"cluster": "c1"}})
	if err := sink.Check(shortly(t)); err != nil {
		t.Fatal(err)
	}
	ns := namespace()
	ae := eventAt(ns, "not <allowed> & logged", time.Now().Add(-time.Second))
	ae.Spec.Actor, ae.Spec.Request = &v1alpha1.AuditActor{User: "alice"}, &v1alpha1.AuditRequest{ID: "705ab4f5"}
	ae.Spec.Trace = &v1alpha1.AuditTrace{TraceID: "0af7651916cd43dd8448eb211c80319c"}
	mustWriteAll(t, sink, ae)
	entries := stored(t, l, "", ns)
	if len(entries) != 1 {
		t.Fatalf("%d entries, want 1", len(entries))
	}
	e := entries[0]
	if !e.Time.Equal(auditing.EventTime(ae)) {
		t.Errorf("stored at %s, want %s", e.Time, auditing.EventTime(ae))
	}
	for name, want := range map[string]string{"service_name": "audit", "component": "broker", "namespace": ns, "cluster": "c1"} {
		if e.Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, e.Labels[name], want)
		}
	}
	for name, want := range map[string]string{
		"kind": "egress-block", "decision": "denied", "run": "run-1", "event": ae.Name,
		"user": "alice", "request_id": "705ab4f5", "trace_id": "0af7651916cd43dd8448eb211c80319c",
	} {
		if e.Metadata[name] != want {
			t.Errorf("metadata %s is %q, want %q", name, e.Metadata[name], want)
		}
	}
	got := parsed(t, e)
	if got.APIVersion != v1alpha1.GroupVersion.String() || got.Kind != "AuditEvent" || got.Spec.Reason != ae.Spec.Reason {
		t.Errorf("the line is %s", e.Line)
	}
	contains(t, e.Line, "<allowed> & logged")
}
