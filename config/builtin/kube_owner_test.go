package builtin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func TestOwnerReferencesAreStoredOnlyWhenAskedFor(t *testing.T) {
	var last []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(last)
	}))
	defer server.Close()
	path := kubeconfigFor(t, server.URL)
	for keys, want := range map[string]bool{"": false, ", ownerReferences: false": false, ", ownerReferences: true": true} {
		trail, err := open(t, "{type: kube, kubeconfig: "+path+keys+"}")
		if err != nil {
			t.Fatal(err)
		}
		ae := auditing.NewPolicyApplied(auditing.AdmissionInput{
			RunName: "hr-1", Namespace: "team-a", Reason: "why",
			OwnerRef: metav1.NewControllerRef(&metav1.ObjectMeta{Name: "hr-1", UID: "0d6f2c1e"}, schema.GroupVersionKind{Group: "g", Version: "v1", Kind: "Run"}),
		})
		if err := trail.For("broker").Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(last, []byte("ownerReferences")); got != want {
			t.Errorf("%q: stored with owner references: %t, want %t: %s", keys, got, want, last)
		}
		if err := trail.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// The server says of each name that an object has it, and lets nobody read the object.
func TestNamesAreTrustedOnlyWhenAskedFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("auditevents").GroupResource(), "x", nil).Status()
		if r.Method == http.MethodPost {
			status = apierrors.NewAlreadyExists(v1alpha1.GroupVersion.WithResource("auditevents").GroupResource(), "x").Status()
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status)
	}))
	defer server.Close()
	path := kubeconfigFor(t, server.URL)
	for keys, want := range map[string]bool{"": false, ", trustNames: false": false, ", trustNames: true": true} {
		trail, err := open(t, "{type: kube, check: skip, kubeconfig: "+path+keys+"}")
		if err != nil {
			t.Fatal(err)
		}
		ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})
		ae.Labels[v1alpha1.LabelComponent] = "broker"
		if err := trail.For("broker").Write(t.Context(), ae); (err == nil) != want {
			t.Errorf("%q: %v", keys, err)
		}
		if err := trail.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
