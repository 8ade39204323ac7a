package kube_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}

func newClient(tb testing.TB, config *rest.Config) client.Client {
	tb.Helper()
	return newClientWith(tb, config, client.Options{})
}

func newClientWith(tb testing.TB, config *rest.Config, opts client.Options) client.Client {
	tb.Helper()
	opts.Scheme = runtime.NewScheme()
	if err := v1alpha1.AddToScheme(opts.Scheme); err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(config, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func issued(namespace string) *v1alpha1.AuditEvent {
	return auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: "hr-1", Namespace: namespace, CredentialName: "DEMO_TOKEN",
		Provider: "UserSuppliedSecret", MatchedPolicy: "demo-policy", Reason: "issued",
	})
}

func list(tb testing.TB, c client.Reader, namespace string) []v1alpha1.AuditEvent {
	tb.Helper()
	var events v1alpha1.AuditEventList
	if err := c.List(tb.Context(), &events, client.InNamespace(namespace)); err != nil {
		tb.Fatal(err)
	}
	return events.Items
}

// wantClass checks what every failed write owes, and its class.
func wantClass(tb testing.TB, err error, class auditing.Class) {
	tb.Helper()
	var we *auditing.WriteError
	if !errors.Is(err, auditing.ErrAuditWrite) || !errors.As(err, &we) {
		tb.Fatalf("%v is no ErrAuditWrite with a *WriteError", err)
	}
	if we.Class != class || we.Sink != "kube" {
		tb.Fatalf("class %s of sink %s, want %s of kube: %v", we.Class, we.Sink, class, err)
	}
}

func failures(tb testing.TB, component, decision, kind string) float64 {
	tb.Helper()
	var gatherer prometheus.Gatherer = metrics.Registry
	families, err := gatherer.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	want := fmt.Sprint(map[string]string{"component": component, "decision": decision, "kind": kind})
	for _, f := range families {
		if f.GetName() != "paddock_audit_write_failures_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if fmt.Sprint(labelsOf(m)) == want {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func TestAnEventIsStoredWithItsLabelsAndExactTime(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	ae := issued(ns)
	if err := (kube.Sink{Client: c, Component: "broker"}).Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	stored := list(t, c, ns)
	if len(stored) != 1 {
		t.Fatalf("%d objects, want 1", len(stored))
	}
	got := stored[0]
	if !auditing.EventTime(&got).Equal(auditing.EventTime(ae)) {
		t.Errorf("stored time %s, want %s", auditing.EventTime(&got), auditing.EventTime(ae))
	}
	for key, want := range map[string]string{
		v1alpha1.LabelComponent: "broker", v1alpha1.LabelRun: "hr-1",
		v1alpha1.LabelKind: "credential-issued", v1alpha1.LabelDecision: "granted",
	} {
		if got.Labels[key] != want {
			t.Errorf("label %s is %q, want %q", key, got.Labels[key], want)
		}
	}
	if got.Name != ae.Name || !strings.HasPrefix(got.Name, "ae-cred-") {
		t.Errorf("stored name %s, event's name %s", got.Name, ae.Name)
	}
}

func TestTheSameEventTwiceIsOneObject(t *testing.T) {
	server := testenv.SharedKube(t)
	c := newClient(t, server.Config)
	for name, sink := range map[string]kube.Sink{
		"compared by dry-run patch": {Client: c, Component: "broker"},
		"compared through Reader":   {Client: c, Component: "broker", Reader: c},
	} {
		t.Run(name, func(t *testing.T) {
			ns := server.Namespace(t)
			ae := issued(ns)
			ae.Spec.Detail = map[string]string{"hostile": "a\x00b\xffc"}
			for range 3 {
				if err := sink.Write(t.Context(), ae); err != nil {
					t.Fatal(err)
				}
			}
			// A retry of an event that came back from the server is the same, too.
			stored := list(t, c, ns)[0]
			if err := sink.Write(t.Context(), &stored); err != nil {
				t.Fatal(err)
			}
			if n := len(list(t, c, ns)); n != 1 {
				t.Fatalf("%d objects, want 1", n)
			}
		})
	}
}

func TestOtherContentUnderTheNameIsAPermanentError(t *testing.T) {
	server := testenv.SharedKube(t)
	c := newClient(t, server.Config)
	changes := map[string]func(*v1alpha1.AuditEvent){
		"reason":    func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason = "another" },
		"decision":  func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = v1alpha1.AuditDecisionDenied },
		"component": func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "proxy" },
		"time":      func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = ae.Spec.Timestamp.Add(time.Nanosecond) },
	}
	for name, change := range changes {
		for how, sink := range map[string]kube.Sink{"patch": {Client: c}, "reader": {Client: c, Reader: c}} {
			t.Run(name+" by "+how, func(t *testing.T) {
				ns := server.Namespace(t)
				ae := issued(ns)
				if err := sink.Write(t.Context(), ae); err != nil {
					t.Fatal(err)
				}
				change(ae)
				err := sink.Write(t.Context(), ae)
				wantClass(t, err, auditing.ClassPermanent)
				if !apierrors.IsAlreadyExists(err) {
					t.Errorf("%v does not unwrap to AlreadyExists", err)
				}
				if n := len(list(t, c, ns)); n != 1 {
					t.Errorf("%d objects, want 1", n)
				}
			})
		}
	}
}

func TestSpecCannotBeChangedThoughNoWebhookRuns(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	if err := (kube.Sink{Client: c}).Write(t.Context(), issued(ns)); err != nil {
		t.Fatal(err)
	}
	stored := list(t, c, ns)[0]
	stored.Spec.Decision = v1alpha1.AuditDecisionDenied
	err := c.Update(t.Context(), &stored)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "written once") {
		t.Fatalf("updating spec: %v, want Invalid with the rule's message", err)
	}
}

func TestTwoThousandEventsOf64WritersAreAllThereOnce(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	sink := kube.Sink{Client: c, Component: "broker"}
	const writers, each = 64, 2000 / 64
	const rest = 2000 - writers*each
	var names sync.Map
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			n := each
			if w < rest {
				n++
			}
			for range n {
				ae := issued(ns)
				if err := sink.Write(context.Background(), ae); err != nil {
					t.Error(err)
				}
				names.Store(ae.Name, true)
			}
		})
	}
	wg.Wait()
	stored := list(t, c, ns)
	if len(stored) != 2000 {
		t.Fatalf("%d objects, want 2000", len(stored))
	}
	for i := range stored {
		if _, ok := names.LoadAndDelete(stored[i].Name); !ok {
			t.Errorf("object %s was never written, or is there twice", stored[i].Name)
		}
	}
}

func TestALongOddRunNameIsStoredInFullAndLabelledSafely(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	run := "Über/run:" + strings.Repeat("x", 291)
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: run, Namespace: ns, Reason: "no node"})
	if err := (kube.Sink{Client: c}).Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	var found v1alpha1.AuditEventList
	err := c.List(t.Context(), &found, client.InNamespace(ns), client.MatchingLabels{v1alpha1.LabelRun: auditing.RunLabel(run)})
	if err != nil || len(found.Items) != 1 {
		t.Fatalf("selecting by RunLabel: %d objects, %v", len(found.Items), err)
	}
	if got := found.Items[0].Spec.RunRef.Name; got != run {
		t.Errorf("stored run %q, want it in full", got)
	}
}

// offlineClient is a client of a server that need not run: the client does not ask it for
// its API.
func offlineClient(tb testing.TB, host string) client.Client {
	tb.Helper()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("AuditEvent"), meta.RESTScopeNamespace)
	return newClientWith(tb, &rest.Config{Host: host, QPS: -1}, client.Options{Mapper: mapper})
}
