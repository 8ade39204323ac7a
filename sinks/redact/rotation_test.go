package redact_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/redact"
)

func TestARetryAcrossARotationIsOneEvent(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	must(t, err)
	rules := []redact.Rule{rule(redact.HMAC, "", "spec.runRef.name", "spec.actor.*")}
	open := func(keys []redact.Key) auditing.Sink {
		s, err := redact.New(kube.Sink{Client: c, Component: "broker"}, redact.Options{Rules: rules, Keys: keys})
		must(t, err)
		return s
	}
	before, after := open(keys()[:1]), open(keys()) // the new key begins at noon

	ae := measured()
	ae.Namespace, ae.Spec.Timestamp.Time = ns, noon.Add(-time.Nanosecond)
	for _, s := range []auditing.Sink{before, after, after, before} {
		if err := s.Write(t.Context(), ae); err != nil {
			t.Errorf("write: %v", err)
		}
	}
	if ae.Spec.RunRef.Name != "hr-1" || ae.Labels[v1alpha1.LabelRun] != "hr-1" {
		t.Errorf("the caller's event has changed: %v", ae)
	}
	late := measured()
	late.Namespace = ns
	must(t, after.Write(t.Context(), late))

	var stored v1alpha1.AuditEventList
	must(t, c.List(t.Context(), &stored, client.InNamespace(ns)))
	if len(stored.Items) != 2 {
		t.Fatalf("%d objects, want one for each event", len(stored.Items))
	}
	for _, e := range stored.Items {
		want := "hmac.old."
		if e.Name == late.Name {
			want = "hmac.new."
		}
		if run := e.Spec.RunRef.Name; !strings.HasPrefix(run, want) || e.Labels[v1alpha1.LabelRun] != run {
			t.Errorf("run %s with the label %s, want %s", run, e.Labels[v1alpha1.LabelRun], want)
		}
	}
	hashes, err := redact.Hashes(keys(), "hr-1", noon)
	must(t, err)
	must(t, c.List(t.Context(), &stored, client.InNamespace(ns), client.MatchingLabels{v1alpha1.LabelRun: hashes[0].Text}))
	if len(stored.Items) != 1 || stored.Items[0].Name != late.Name {
		t.Errorf("the hash selects %d events", len(stored.Items))
	}
}
