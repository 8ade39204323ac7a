package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
)

const (
	auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, resources: [{resources: [configmaps, secrets]}]}, {level: None}]
`

	// toCluster has the webhook's events in the API server.
	toCluster = `{apiVersion: audit.paddock.dev/v1alpha1, kind: AuditConfiguration,
sinks: {cluster: {type: kube}, console: {type: log, path: stderr}},
components: {
  broker: {sink: cluster, onFailure: closed}, controller: {sink: console, onFailure: open},
  webhook: {sink: cluster, onFailure: closed, timeout: 5s, detach: true}}}`

	webhookName = "runs.example.paddock.dev"
)

// dryRuns reads the counter of events that were not stored because of a dry run.
func dryRuns(t *testing.T, p program) (n int) {
	t.Helper()
	resp, err := http.Get(p.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "paddock_audit_dry_run_events_total %d", &n); err == nil {
			return n
		}
	}
	t.Fatal("there is no counter of dry runs")
	return 0
}

// register has the API server ask the webhook about the ConfigMaps and Secrets of a
// namespace, gives the group operators the right to create them, and returns when the
// webhook is asked.
func register(t *testing.T, admin client.Client, p program, namespace string) {
	t.Helper()
	ask := []client.Object{
		&admissionv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "runs"},
			Webhooks: []admissionv1.ValidatingWebhook{{
				Name: webhookName, AdmissionReviewVersions: []string{"v1"},
				ClientConfig:      admissionv1.WebhookClientConfig{URL: &p.webhook, CABundle: p.authority},
				SideEffects:       new(admissionv1.SideEffectClassNoneOnDryRun),
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
				Rules: []admissionv1.RuleWithOperations{{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps", "secrets"}},
				}},
			}},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "operators"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "operators"}},
		},
	}
	for _, o := range ask {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	// Only the webhook refuses Secrets. A dry run leaves no event.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
		err := admin.Create(t.Context(), probe, client.DryRunAll)
		if err != nil && strings.Contains(err.Error(), "runs are ConfigMaps") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the webhook is not asked: %v", err)
		}
	}
}

// audited is a line of the API server's own audit log.
type audited struct {
	Verb        string
	RequestURI  string
	ObjectRef   struct{ Resource, Namespace, Name string }
	Annotations map[string]string
}

// lineOf waits for the line of a create in the API server's audit log.
func lineOf(t *testing.T, path, resource, namespace, name string, dryRun bool) audited {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var a audited
			if json.Unmarshal(line, &a) != nil {
				continue // it is being written
			}
			o := a.ObjectRef
			if a.Verb == "create" && o.Resource == resource && o.Namespace == namespace && o.Name == name &&
				strings.Contains(a.RequestURI, "dryRun=All") == dryRun {
				return a
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the API server's audit log has no create of %s %s: %s", resource, name, data)
		}
	}
}

func eventsIn(ctx context.Context, t *testing.T, c client.Client, namespace string) []v1alpha1.AuditEvent {
	t.Helper()
	var events v1alpha1.AuditEventList
	if err := c.List(ctx, &events, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return events.Items
}

func TestAPIServersAuditLogNamesTheWebhooksEvent(t *testing.T) {
	auditLog := filepath.Join(t.TempDir(), "audit.log")
	server, err := testenv.StartKube("--audit-policy-file="+writeFile(t, "policy.yaml", auditPolicy), "--audit-log-path="+auditLog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	example := start(t, server, toCluster)
	admin, namespace := newClient(t, server.Config), server.Namespace(t)
	register(t, admin, example, namespace)
	alice := newClient(t, server.ConfigFor("alice", "operators", "team-a"))

	before := dryRuns(t, example)
	dry := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hr-1"}}
	if err := alice.Create(t.Context(), dry, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if events := eventsIn(t.Context(), t, admin, namespace); len(events) != 0 {
		t.Errorf("a dry run leaves %+v", events)
	}
	if n := dryRuns(t, example); n != before+1 {
		t.Errorf("the counter of dry runs is %d, want %d", n, before+1)
	}
	if a := lineOf(t, auditLog, "configmaps", namespace, "hr-1", true); len(a.Annotations[webhookName+"/audit-event"]) != 0 {
		t.Errorf("the audit log names an event of a dry run: %v", a.Annotations)
	}

	run := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hr-1"}}
	if err := alice.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	checkRecord(t, admin, lineOf(t, auditLog, "configmaps", namespace, "hr-1", false), v1alpha1.AuditDecisionGranted,
		v1alpha1.AuditObject{Resource: "configmaps", Namespace: namespace, Name: "hr-1", UID: string(run.UID)})

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "s-1"}}
	if err := alice.Create(t.Context(), secret); !apierrors.IsForbidden(err) {
		t.Errorf("a Secret: %v", err)
	}
	checkRecord(t, admin, lineOf(t, auditLog, "secrets", namespace, "s-1", false), v1alpha1.AuditDecisionDenied,
		v1alpha1.AuditObject{Resource: "secrets", Namespace: namespace, Name: "s-1"})
	if events := eventsIn(t.Context(), t, admin, namespace); len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
}

// checkRecord reads the event that a line of the audit log names. The uid of a refused
// object is of no object: it only has to be there.
func checkRecord(t *testing.T, admin client.Client, line audited, decision v1alpha1.AuditDecision, object v1alpha1.AuditObject) {
	t.Helper()
	namespace, name, _ := strings.Cut(line.Annotations[webhookName+"/audit-event"], "/")
	var ae v1alpha1.AuditEvent
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &ae); err != nil {
		t.Fatalf("the audit log has %v: %v", line.Annotations, err)
	}
	s := ae.Spec
	if s.Decision != decision {
		t.Errorf("decision %s, want %s", s.Decision, decision)
	}
	if a := s.Actor; a == nil || a.User != "alice" || !slices.Contains(a.Groups, "operators") || !slices.Contains(a.Groups, "team-a") {
		t.Errorf("actor %+v", a)
	}
	if object.UID == "" && s.Object != nil {
		object.UID = s.Object.UID
	}
	if s.Object == nil || *s.Object != object || s.Object.UID == "" {
		t.Errorf("object %+v, want %+v", s.Object, object)
	}
	if r := s.Request; r == nil || len(r.ID) != 36 || r.Verb != "CREATE" {
		t.Errorf("request %+v", r)
	}
}
