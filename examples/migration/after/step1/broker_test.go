package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	paddockv1alpha1 "github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/compat/auditing"
)

// ask asks a broker for a credential. When down is set, its API server stores nothing.
func ask(t *testing.T, name string, down error) (answer *httptest.ResponseRecorder, stored []paddockv1alpha1.AuditEvent) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := paddockv1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			if down != nil {
				return down
			}
			return c.Create(ctx, obj, opts...)
		},
	}).Build()
	b := &broker{trail: &auditing.KubeSink{Client: c, Component: "broker"}, policies: map[string]string{"DEMO_TOKEN": "demo-policy"}}
	answer = httptest.NewRecorder()
	b.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost,
		"/credential?namespace=team-a&run=hr-1&name="+name, http.NoBody))
	var list paddockv1alpha1.AuditEventList
	if err := c.List(t.Context(), &list, client.InNamespace("team-a"), client.MatchingLabels{"paddock.dev/component": "broker"}); err != nil {
		t.Fatal(err)
	}
	return answer, list.Items
}

func TestIssuedCredentialLeavesItsEvent(t *testing.T) {
	answer, stored := ask(t, "DEMO_TOKEN", nil)
	if answer.Code != http.StatusOK || len(stored) != 1 {
		t.Fatalf("answer %d, %d events", answer.Code, len(stored))
	}
	s := stored[0].Spec
	if s.Kind != paddockv1alpha1.AuditKindCredentialIssued || s.Decision != paddockv1alpha1.AuditDecisionGranted ||
		s.RunRef.Name != "hr-1" || s.Credential.Name != "DEMO_TOKEN" || s.MatchedPolicy.Name != "demo-policy" || s.Timestamp.IsZero() {
		t.Errorf("event %+v", s)
	}
}

func TestRefusedCredentialLeavesItsEvent(t *testing.T) {
	answer, stored := ask(t, "OTHER", nil)
	if answer.Code != http.StatusForbidden || len(stored) != 1 {
		t.Fatalf("answer %d, %d events", answer.Code, len(stored))
	}
	if s := stored[0].Spec; s.Kind != paddockv1alpha1.AuditKindCredentialDenied || s.Decision != paddockv1alpha1.AuditDecisionDenied || s.MatchedPolicy != nil {
		t.Errorf("event %+v", s)
	}
}

func TestNoCredentialIsIssuedWithoutItsEvent(t *testing.T) {
	answer, stored := ask(t, "DEMO_TOKEN", errors.New("the API server is down"))
	if answer.Code != http.StatusServiceUnavailable || answer.Body.String() != "audit trail unavailable\n" || len(stored) != 0 {
		t.Errorf("answer %d %q, %d events", answer.Code, answer.Body, len(stored))
	}
}

func TestRefusalHoldsWithoutItsEvent(t *testing.T) {
	if answer, _ := ask(t, "OTHER", errors.New("the API server is down")); answer.Code != http.StatusForbidden {
		t.Errorf("answer %d", answer.Code)
	}
}
