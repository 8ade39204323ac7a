package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/paddock-dev/audit/api/v1alpha1"
	core "github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/compat/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
)

// These tests hold docs/migrating.md to a real API server.
func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// cluster returns a client of the API server and a namespace of the test's own.
func cluster(t *testing.T) (c client.Client, namespace string) {
	t.Helper()
	server := testenv.SharedKube(t)
	c, err := client.New(server.Config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c, server.Namespace(t)
}

func stored(t *testing.T, c client.Client, ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	t.Helper()
	var got v1alpha1.AuditEvent
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(ae), &got); err != nil {
		t.Fatal(err)
	}
	return &got
}

func TestBrokerRecordsAndCountsInOneRegistry(t *testing.T) {
	c, ns := cluster(t)
	h, err := handler(testenv.SharedKube(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
		return w
	}
	if w := serve(http.MethodPost, "/credential?namespace="+ns+"&run=hr-1&name=DEMO_TOKEN"); w.Code != http.StatusOK {
		t.Fatalf("answer %d %q", w.Code, w.Body)
	}
	var list v1alpha1.AuditEventList
	if err := c.List(t.Context(), &list, client.InNamespace(ns), client.MatchingLabels{v1alpha1.LabelComponent: "broker"}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Spec.Kind != v1alpha1.AuditKindCredentialIssued {
		t.Errorf("stored %+v", list.Items)
	}
	const counter = `paddock_audit_events_total{component="broker",decision="granted",kind="credential-issued"}`
	if w := serve(http.MethodGet, "/metrics"); !strings.Contains(w.Body.String(), counter) {
		t.Errorf("the metrics have no %s", counter)
	}
}

func TestZeroTimestampPassesAFakeAndNoRealServer(t *testing.T) {
	c, ns := cluster(t)
	literal := func() *v1alpha1.AuditEvent {
		return &v1alpha1.AuditEvent{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "literal"},
			Spec:       v1alpha1.AuditEventSpec{Decision: v1alpha1.AuditDecisionGranted, Kind: v1alpha1.AuditKindRunCompleted},
		}
	}
	pretended := fake.NewClientBuilder().WithScheme(scheme(t)).Build()
	if err := pretended.Create(t.Context(), literal()); err != nil {
		t.Errorf("the fake refuses it: %v", err)
	}
	if err := c.Create(t.Context(), literal()); !apierrors.IsInvalid(err) {
		t.Errorf("the API server answers %v, want Invalid", err)
	}
	for _, c := range []client.Client{pretended, c} {
		err := (&auditing.KubeSink{Client: c, Component: "run"}).Write(t.Context(), literal())
		var failed *core.WriteError
		if !errors.As(err, &failed) || failed.Class != core.ClassInvalid || !strings.Contains(err.Error(), "spec.timestamp") {
			t.Errorf("Write returns %v, want class invalid for spec.timestamp", err)
		}
	}
}

func TestOwnerIsNamedAndOnlyStoredOnRequest(t *testing.T) {
	c, ns := cluster(t)
	owner := metav1.OwnerReference{APIVersion: "paddock.dev/v1alpha1", Kind: "HarnessRun", Name: "hr-1", UID: "7"}
	for _, wanted := range []bool{false, true} {
		ae := auditing.NewPolicyApplied(auditing.AdmissionInput{RunName: "hr-1", Namespace: ns, OwnerRef: &owner})
		sink := &auditing.KubeSink{Client: c, Component: "webhook", OwnerReferences: wanted}
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		got := stored(t, c, ae)
		if len(got.OwnerReferences) == 1 != wanted || !strings.Contains(got.Annotations[v1alpha1.AnnotationOwner], `"uid":"7"`) {
			t.Errorf("OwnerReferences: %t stores owners %v, annotations %v", wanted, got.OwnerReferences, got.Annotations)
		}
	}
}

func TestStoredSpecHasACountAndIsWriteOnce(t *testing.T) {
	c, ns := cluster(t)
	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: strings.Repeat("long", 20), Namespace: ns, CredentialName: "DEMO_TOKEN", Count: 12,
	})
	sink := &auditing.KubeSink{Client: c, Component: "controller"}
	for range 2 { // the second time finds the first
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
	if ae.Name == "" || ae.UID != "" || ae.ResourceVersion != "" {
		t.Errorf("after Write the event has %+v", ae.ObjectMeta)
	}
	var list v1alpha1.AuditEventList
	if err := c.List(t.Context(), &list, client.InNamespace(ns), client.MatchingLabels{v1alpha1.LabelRun: core.RunLabel(strings.Repeat("long", 20))}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Spec.Count != 12 {
		t.Fatalf("stored %+v", list.Items)
	}
	changed := &list.Items[0]
	changed.Spec.Count = 1
	if err := c.Update(t.Context(), changed); !apierrors.IsInvalid(err) {
		t.Errorf("a changed spec is answered with %v, want Invalid", err)
	}
}

func TestCounterOfTheOldPackageIsInTheWay(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "paddock_audit_write_failures_total", Help: "Audit events that could not be written.",
	}, []string{"component", "decision", "kind"}))
	if err := core.RegisterMetrics(registry); err == nil || !strings.Contains(err.Error(), "paddock_audit_write_failures_total") {
		t.Errorf("error %v does not name the counter", err)
	}
}
