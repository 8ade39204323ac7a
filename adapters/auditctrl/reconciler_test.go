package auditctrl_test

import (
	"context"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func TestReconcilersEventsHaveTheObject(t *testing.T) {
	var got *auditing.Facts
	next := reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		got = auditing.FactsFrom(ctx)
		return reconcile.Result{}, nil
	})
	r := auditctrl.Reconciler(schema.GroupResource{Group: "batch", Resource: "jobs"}, next)
	req := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "j"}}
	if _, err := r.Reconcile(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	want := &auditing.Facts{
		Object:  &v1alpha1.AuditObject{Group: "batch", Resource: "jobs", Namespace: "team-a", Name: "j"},
		Request: &v1alpha1.AuditRequest{Verb: "reconcile"}, // no controller has started it
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %+v", got.Object, got.Request)
	}
}
