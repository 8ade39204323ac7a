package auditctrl

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Reconciler returns next with the facts of each request in its context: the object, which is
// of gr, the id of the reconciliation, which controller-runtime logs as reconcileID, and
// the verb "reconcile". There is no actor: nobody asked for it.
//
// Each attempt has another id. An event that the component names itself has no request,
// so that the next attempt writes the same event again.
func Reconciler(gr schema.GroupResource, next reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		return next.Reconcile(auditing.With(ctx, auditing.Facts{
			Object:  &v1alpha1.AuditObject{Group: gr.Group, Resource: gr.Resource, Namespace: req.Namespace, Name: req.Name},
			Request: &v1alpha1.AuditRequest{ID: string(controller.ReconcileIDFromContext(ctx)), Verb: "reconcile"},
		}), req)
	})
}
