package kube_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

// ofOlderComponent is an event as a component wrote it that knew no facts.
const ofOlderComponent = `{"apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent",
"metadata":{"name":"ae-credential-01jz0000000000000000000000-broker","namespace":"NS",
"labels":{"paddock.dev/component":"broker","paddock.dev/decision":"granted","paddock.dev/kind":"credential-issued","paddock.dev/run":"hr-1"},
"annotations":{"paddock.dev/timestamp":"2026-06-01T12:00:00.123456789Z"}},
"spec":{"runRef":{"name":"hr-1"},"decision":"granted","kind":"credential-issued","timestamp":"2026-06-01T12:00:00Z",
"credential":{"name":"DEMO_TOKEN","provider":"vault"},"reason":"policy demo allows it"}}`

// older returns that event for a namespace, as a spool of the older component would hand it on.
func older(t *testing.T, namespace string) *v1alpha1.AuditEvent {
	t.Helper()
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal([]byte(strings.Replace(ofOlderComponent, "NS", namespace, 1)), ae); err != nil {
		t.Fatal(err)
	}
	return ae
}

func someFacts() auditing.Facts {
	return auditing.Facts{
		Actor:   &v1alpha1.AuditActor{User: "alice", Groups: []string{"operators"}},
		Object:  &v1alpha1.AuditObject{Resource: "configmaps", Namespace: "team-a", Name: "hr-1"},
		Request: &v1alpha1.AuditRequest{ID: "7f3a", Verb: "CREATE"},
		Trace:   &v1alpha1.AuditTrace{TraceID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16)},
	}
}

func TestAnEventOfAnOlderComponentIsTheSameInARetry(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	raw := &unstructured.Unstructured{}
	if err := raw.UnmarshalJSON([]byte(strings.Replace(ofOlderComponent, "NS", ns, 1))); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	stored := list(t, c, ns)
	if len(stored) != 1 || !reflect.DeepEqual(stored[0].Spec, older(t, ns).Spec) {
		t.Fatalf("read back: %+v", stored)
	}
	for name, sink := range map[string]kube.Sink{
		"by an empty patch": {Client: c, Component: "broker"},
		"by a Reader":       {Client: c, Component: "broker", Reader: c},
	} {
		// What was written before is left as it is, also under a request with facts.
		if err := sink.Write(auditing.With(t.Context(), someFacts()), older(t, ns)); err != nil {
			t.Errorf("%s: a retry: %v", name, err)
		}
		other := older(t, ns)
		other.Spec.Reason = "another reason"
		wantClass(t, sink.Write(t.Context(), other), auditing.ClassPermanent)
	}
	if after := list(t, c, ns); !reflect.DeepEqual(after, stored) {
		t.Errorf("before %+v\nafter  %+v", stored, after)
	}
}

// withoutFacts writes the CRD as it was before it had facts into a folder.
func withoutFacts(t *testing.T) (dir string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/crd/paddock.dev_auditevents.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		t.Fatal(err)
	}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	for _, property := range []string{"actor", "object", "request", "trace"} {
		if _, is := spec.Properties[property]; !is {
			t.Fatalf("the CRD has no %s", property)
		}
		delete(spec.Properties, property)
	}
	text, err = yaml.Marshal(&crd)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "crd.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pruned reads the counter of events that were stored without their facts.
func pruned(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "paddock_audit_pruned_events_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("the counter is not registered")
	return 0
}

func TestAnOlderCRDStoresEventsWithoutFactsOnce(t *testing.T) {
	server, err := testenv.StartEmptyKube()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.InstallCRDs(t.Context(), withoutFacts(t)); err != nil {
		t.Fatal(err)
	}
	c, ns := newClient(t, server.Config), server.Namespace(t)
	ctx := auditing.With(t.Context(), someFacts())
	for i, sink := range []kube.Sink{{Client: c, Component: "broker"}, {Client: c, Component: "broker", Reader: c}} {
		ae, before := issued(ns), pruned(t)
		for _, attempt := range []string{"write", "retry"} {
			if err := sink.Write(ctx, ae); err != nil {
				t.Errorf("%s: %v", attempt, err)
			}
			if rose := pruned(t) - before; rose != 1 {
				t.Errorf("after the %s the counter has risen by %v, want 1", attempt, rose)
			}
		}
		if ae.Spec.Actor == nil || ae.Spec.Trace == nil {
			t.Errorf("the caller's event has lost its facts: %+v", ae.Spec)
		}
		stored := list(t, c, ns)
		if len(stored) != i+1 {
			t.Fatalf("%d objects, want %d", len(stored), i+1)
		}
		var got v1alpha1.AuditEvent
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(ae), &got); err != nil {
			t.Fatal(err)
		}
		if s := got.Spec; s.Actor != nil || s.Object != nil || s.Request != nil || s.Trace != nil || s.Reason != "issued" {
			t.Errorf("stored is %+v", s)
		}
		other := ae.DeepCopy()
		other.Spec.Reason = "another reason"
		wantClass(t, sink.Write(ctx, other), auditing.ClassPermanent)
	}

	// An event without facts loses nothing.
	before := pruned(t)
	if err := (kube.Sink{Client: c, Component: "broker"}).Write(t.Context(), issued(ns)); err != nil {
		t.Error(err)
	}
	if rose := pruned(t) - before; rose != 0 {
		t.Errorf("an event without facts counts as pruned")
	}
}
