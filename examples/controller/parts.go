package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/adapters/audithttp"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
)

// templateLabel on a ConfigMap makes it a run of this example.
const templateLabel = "example.paddock.dev/template"

// setUp gives each part its sink, by the part's name, and the facts of what it serves.
func setUp(mgr ctrl.Manager, trail *config.Trail, listen string) error {
	mgr.GetWebhookServer().Register("/admit", &admission.Webhook{
		Handler: auditctrl.Admission(&admitter{trail: trail.For("webhook")}),
	})
	mux := http.NewServeMux()
	mux.Handle("POST /credential", audithttp.Handler(&broker{trail: trail.For("broker")}, audithttp.Options{}))
	listener, err := net.Listen("tcp", listen) //nolint:noctx // it is bound at once
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	configMaps := schema.GroupResource{Resource: "configmaps"}
	return errors.Join(
		mgr.Add(&manager.Server{Name: "broker", Server: server, Listener: listener}),
		mgr.AddReadyzCheck("audit", auditctrl.Ready(trail.For("broker"))),
		ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).
			Complete(auditctrl.Reconciler(configMaps, &reconciler{client: mgr.GetClient(), trail: trail.For("controller")})),
	)
}

// broker issues a credential when its event is safe, and not otherwise.
type broker struct{ trail auditing.Sink }

func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		Namespace: q.Get("namespace"), RunName: q.Get("run"), CredentialName: "DEMO_TOKEN", Provider: "demo", Reason: "asked for",
	})
	if err := b.trail.Write(r.Context(), ae); err != nil {
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "a credential")
}

// admitter admits runs of known templates. Its file lets it go on when the event
// cannot be written; then Write says nil, and the failure is counted and logged.
type admitter struct{ trail auditing.Sink }

func (h *admitter) Handle(ctx context.Context, req admission.Request) admission.Response {
	in := auditing.AdmissionInput{Namespace: req.Namespace, RunName: req.Name, Reason: "runs are ConfigMaps"}
	if req.Kind.Kind != "ConfigMap" {
		if err := h.trail.Write(ctx, auditing.NewPolicyRejected(in)); err != nil {
			return admission.Errored(http.StatusServiceUnavailable, err)
		}
		return admission.Denied(in.Reason)
	}
	if err := h.trail.Write(ctx, auditing.NewPolicyApplied(in)); err != nil {
		return admission.Errored(http.StatusServiceUnavailable, err)
	}
	return admission.Allowed(in.Reason)
}

// reconciler records that a run ended, which here is when it appears.
type reconciler struct {
	client client.Client
	trail  auditing.Sink
}

func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var run corev1.ConfigMap
	if err := r.client.Get(ctx, req.NamespacedName, &run); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if run.Labels[templateLabel] == "" {
		return ctrl.Result{}, nil
	}
	ae := auditing.NewRunCompleted(auditing.RunDecisionInput{
		Namespace: run.Namespace, RunName: run.Name, Reason: "the run appeared", When: run.CreationTimestamp.Time,
	})
	ae.Name = "run-" + string(run.UID) // so that reconciling it again is the same event
	return ctrl.Result{}, r.trail.Write(ctx, ae)
}
