package deploytest

import (
	"context"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

const (
	labelsPolicy   = "audit-events-labels"
	writersPolicy  = "audit-events-writers"
	deletionPolicy = "audit-events-deletion"
)

var refusingPolicy = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'`)

// policyOf returns the policy that refused, or "" when none did.
func policyOf(err error) string {
	if err == nil {
		return ""
	}
	if found := refusingPolicy.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return ""
}

// newEvent returns an event as a sink would send it: named and labelled.
func newEvent(namespace, component string) *v1alpha1.AuditEvent {
	return finished(component, auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-1", Namespace: namespace, Host: "api.example.com", Port: 443, Reason: "no policy allows it",
	}))
}

// finished gives the event what Write gives every event.
func finished(component string, ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	if component != "" {
		ae.Labels[v1alpha1.LabelComponent] = component
	}
	if err := (&sinktest.Recorder{}).Write(context.Background(), ae); err != nil {
		panic(err) // the tests' own event is wrong
	}
	return ae
}

// stored creates the event as the administrator.
func stored(t *testing.T, namespace, component string) *v1alpha1.AuditEvent {
	t.Helper()
	ae := newEvent(namespace, component)
	must(t, admin.Create(t.Context(), ae))
	return ae
}

// serviceAccount returns a client that acts as the account, with the groups that the API server gives it.
func serviceAccount(t *testing.T, namespace, name string) client.WithWatch {
	t.Helper()
	return user(t, accountName(namespace, name), "system:serviceaccounts", "system:serviceaccounts:"+namespace)
}

func accountName(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

func user(t *testing.T, name string, groups ...string) client.WithWatch {
	t.Helper()
	c, err := clientFor(kube.ConfigFor(name, append(groups, "system:authenticated")...))
	must(t, err)
	return c
}

// bind gives the account a ClusterRole, in one namespace or, where that is "", everywhere.
func bind(t *testing.T, role, namespace string, subject rbacv1.Subject) {
	t.Helper()
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	meta := metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace}
	var binding client.Object = &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: []rbacv1.Subject{subject}}
	if namespace == "" {
		binding = &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: []rbacv1.Subject{subject}}
	}
	must(t, admin.Create(t.Context(), binding))
}

func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// give replaces the mapping of components to writers and returns when the API server goes by it. The end of the test
// empties it.
func give(t *testing.T, mapping map[string]string) {
	t.Helper()
	t.Cleanup(func() { setMapping(t, nil) })
	setMapping(t, mapping)
}

func setMapping(t *testing.T, mapping map[string]string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it also runs when the test has ended
	const canary = "canary"
	inForce := "canary"
	data := map[string]string{}
	if mapping != nil {
		inForce += "-of-" + t.Name() + kube.Namespace(t) // no mapping before it has this
		data[canary] = inForce
		for component, writers := range mapping {
			data[component] = writers
		}
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "audit-system", Name: "audit-components"}}
	must(t, ignoreExists(admin.Create(ctx, config.DeepCopy())))
	must(t, admin.Get(ctx, client.ObjectKeyFromObject(config), config))
	config.Data = data
	must(t, admin.Update(ctx, config))
	writer, err := clientFor(kube.ConfigFor(inForce, "system:masters"))
	must(t, err)
	eventually(t, func() error { return writer.Create(ctx, newEvent("default", canary), client.DryRunAll) })
}
