package auditctrl_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/retry"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}

// newManager returns a manager with a webhook server on loopback, and a client of that.
func newManager(t *testing.T) (mgr ctrl.Manager, url string, hooks *http.Client) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	certificates := t.TempDir()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(testenv.WriteCertificate(t, certificates))
	mgr, err = ctrl.NewManager(testenv.SharedKube(t).Config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: address.Port, CertDir: certificates}),
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return mgr, "https://" + address.String(), &http.Client{Transport: transport}
}

// review posts an admission request until the server is there, and returns the answer.
func review(ctx context.Context, hooks *http.Client, url, namespace string) (*admissionv1.AdmissionResponse, error) {
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  &admissionv1.AdmissionRequest{UID: "7f3a", Operation: admissionv1.Create, Namespace: namespace, Name: "hr-1"},
	}
	body, err := json.Marshal(review)
	if err != nil {
		return nil, err
	}
	for {
		answer, err := post(ctx, hooks, url, body)
		if err == nil {
			review.Request = nil
			err = json.Unmarshal(answer, &review)
			return review.Response, err
		}
		if ctx.Err() != nil {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func post(ctx context.Context, hooks *http.Client, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := hooks.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func list(t *testing.T, mgr ctrl.Manager, namespace string) []v1alpha1.AuditEvent {
	t.Helper()
	var events v1alpha1.AuditEventList
	if err := mgr.GetAPIReader().List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return events.Items
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// The webhook still writes when everything that was added to the manager has ended, and
// the trail is closed after it.
func TestWebhookUnderWayAtTheEndIsRecordedBeforeClose(t *testing.T) {
	mgr, url, hooks := newManager(t)
	namespace := testenv.SharedKube(t).Namespace(t)
	sink, err := retry.New(kube.Sink{Client: mgr.GetClient(), Component: "webhook"}, retry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	entered, added, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mgr.GetWebhookServer().Register("/admit", &admission.Webhook{Handler: auditctrl.Admission(admission.HandlerFunc(
		func(ctx context.Context, req admission.Request) admission.Response {
			close(entered)
			<-added // the manager stops its webhooks next
			if ended(closed) {
				t.Error("the trail is closed while the webhook is under way")
			}
			ae := auditing.NewPolicyApplied(auditing.AdmissionInput{Namespace: req.Namespace, RunName: req.Name, Reason: "fits"})
			if err := sink.Write(context.WithoutCancel(ctx), ae); err != nil {
				return admission.Errored(http.StatusServiceUnavailable, err)
			}
			return admission.Allowed("fits")
		},
	))})
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		close(added)
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	trail := closer(func(ctx context.Context) error {
		close(closed)
		return sink.Close(ctx)
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- auditctrl.Closing(mgr, trail, time.Minute).Start(ctx) }()
	answered := make(chan *admissionv1.AdmissionResponse, 1)
	go func() {
		resp, err := review(t.Context(), hooks, url+"/admit", namespace)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()

	<-entered
	stop()
	if resp := <-answered; resp == nil || !resp.Allowed {
		t.Errorf("the webhook answers %+v", resp)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	events := list(t, mgr, namespace)
	if len(events) != 1 || events[0].Spec.Request == nil || events[0].Spec.Request.ID != "7f3a" {
		t.Errorf("stored are %+v", events)
	}
	var we *auditing.WriteError
	if err := sink.Write(t.Context(), applied("late")); !errors.As(err, &we) || we.Class != auditing.ClassClosed {
		t.Errorf("a write afterwards gives %v", err)
	}
}

func TestAControllersEventsHaveObjectAndReconcileID(t *testing.T) {
	mgr, _, _ := newManager(t)
	namespace := testenv.SharedKube(t).Namespace(t)
	sink := kube.Sink{Client: mgr.GetClient(), Component: "controller"}
	ids := make(chan string, 1)
	reconciler := reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if req.Namespace != namespace || req.Name != "hr-1" {
			return reconcile.Result{}, nil
		}
		select {
		case ids <- string(controller.ReconcileIDFromContext(ctx)):
		default: // the API server may have changed it meanwhile
			return reconcile.Result{}, nil
		}
		ae := auditing.NewRunCompleted(auditing.RunDecisionInput{Namespace: namespace, RunName: "hr-1"})
		return reconcile.Result{}, sink.Write(context.WithoutCancel(ctx), ae)
	})
	if err := ctrl.NewControllerManagedBy(mgr).Named("runs").For(&corev1.ConfigMap{}).
		WithOptions(controller.Options{SkipNameValidation: new(true)}). // for -count
		Complete(auditctrl.Reconciler(schema.GroupResource{Resource: "configmaps"}, reconciler)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	run := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hr-1"}}
	if err := mgr.GetClient().Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	id := <-ids
	stop() // and wait for the reconciliation under way
	if err := <-ended; err != nil {
		t.Error(err)
	}
	events := list(t, mgr, namespace)
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	spec := events[0].Spec
	if want := (v1alpha1.AuditRequest{ID: id, Verb: "reconcile"}); id == "" || *spec.Request != want {
		t.Errorf("request %+v, want %+v", spec.Request, want)
	}
	if want := (v1alpha1.AuditObject{Resource: "configmaps", Namespace: namespace, Name: "hr-1"}); *spec.Object != want {
		t.Errorf("object %+v, want %+v", spec.Object, want)
	}
}
