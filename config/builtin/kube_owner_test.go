package builtin_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
