package deploytest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func equal(a, b *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(a.Object, b.Object)
}

func newConfigMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func ownerReference(owner *corev1.ConfigMap) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
}

func TestDeletingAnEventIsRefusedToEveryoneElse(t *testing.T) {
	namespace := kube.Namespace(t)
	for name, deleter := range map[string]client.Client{
		"an administrator":                  admin,
		"a user with every right":           user(t, "alice", "system:masters"),
		"another account in audit-system":   user(t, accountName("audit-system", "default"), "system:masters"),
		"the reaper's name elsewhere":       user(t, accountName(namespace, "audit-reaper"), "system:masters"),
		"another controller of the cluster": user(t, accountName("kube-system", "job-controller"), "system:masters"),
		"a group that is called nearly so":  user(t, "bob", "system:masters", "audit:break-glass-2"),
	} {
		t.Run(name, func(t *testing.T) {
			ae := stored(t, namespace, "broker")
			before := raw(t, ae)
			want := wanted{deletionPolicy, []string{"may not delete audit events", "the reaper", "audit:break-glass", "--as-group"}}
			err := deleter.Delete(t.Context(), ae)
			checkRefusal(t, err, want)
			if !apierrors.IsForbidden(err) {
				t.Errorf("%v is not Forbidden", err)
			}
			checkRefusal(t, deleter.DeleteAllOf(t.Context(), ae, client.InNamespace(namespace)), want)
			if after := raw(t, ae); !equal(before, after) {
				t.Errorf("before %v\nafter  %v", before, after)
			}
		})
	}
}

func TestThoseWhoMayDeleteEventsCan(t *testing.T) {
	const masters = "system:masters"
	for name, deleter := range map[string]client.Client{
		"the reaper":               serviceAccount(t, "audit-system", "audit-reaper"),
		"a member of break glass":  user(t, "alice", "audit:break-glass"),
		"an impersonating admin":   user(t, "admin", masters, "audit:break-glass"),
		"the garbage collector":    user(t, accountName("kube-system", "generic-garbage-collector"), masters),
		"the namespace controller": user(t, accountName("kube-system", "namespace-controller"), masters),
		"both without an account":  user(t, "system:kube-controller-manager", masters),
	} {
		t.Run(name, func(t *testing.T) {
			ae := stored(t, "default", "broker")
			must(t, deleter.Delete(t.Context(), ae, client.Preconditions{UID: &ae.UID}))
			gone(t, ae)
		})
	}
}

func TestDeletingTheDefinitionOfEventsIsRefused(t *testing.T) {
	ae := stored(t, "default", "broker")
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "auditevents.paddock.dev"}}
	err := admin.Delete(t.Context(), crd)
	checkRefusal(t, err, wanted{deletionPolicy, []string{"every one of them would go with it", "audit:break-glass"}})
	checkRefusal(t, admin.DeleteAllOf(t.Context(), crd), wanted{deletionPolicy, []string{"every one of them"}})
	raw(t, ae)

	must(t, user(t, "alice", "system:masters", "audit:break-glass").Delete(t.Context(), crd, client.DryRunAll))
	other := crd.DeepCopy()
	other.Name = "others.example.com"
	if err := admin.Delete(t.Context(), other); !apierrors.IsNotFound(err) {
		t.Errorf("deleting another definition, which is not there: %v", err)
	}
}

// gone waits until the event is not there any more.
func gone(t *testing.T, ae *v1alpha1.AuditEvent) {
	t.Helper()
	eventually(t, func() error {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(ae), &v1alpha1.AuditEvent{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(fmt.Errorf("%s/%s is still there", ae.Namespace, ae.Name), err)
	})
}

func TestANamespaceWithEventsCanBeDeleted(t *testing.T) {
	namespace := kube.Namespace(t)
	var last *v1alpha1.AuditEvent
	for range 20 {
		last = stored(t, namespace, "broker")
	}
	must(t, admin.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	gone(t, last)
	eventually(t, func() error {
		var ns corev1.Namespace
		err := admin.Get(t.Context(), client.ObjectKey{Name: namespace}, &ns)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(fmt.Errorf("%s is %s: %v", namespace, ns.Status.Phase, ns.Status.Conditions), err)
	})
}

// The garbage collector deletes an object whose owner is gone, or never was, about 0.1 s after its creation.
func TestEventWithAnOwnerOutlivesTheOwner(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "webhook")
	owner := newConfigMap(namespace, "owner")
	must(t, admin.Create(t.Context(), owner))
	never := ownerReference(newConfigMap(namespace, "never"))
	never.UID = "5ca1ab1e-0000-4000-8000-000000000000"
	var check []func() // at the end, when the garbage collector has had its time
	for name, ref := range map[string]metav1.OwnerReference{"deleted": ownerReference(owner), "never there": never} {
		ae := auditing.NewPolicyApplied(auditing.AdmissionInput{RunName: "hr-1", Namespace: namespace, OwnerRef: &ref})
		must(t, sink.Write(t.Context(), ae))
		if len(ae.OwnerReferences) != 1 {
			t.Errorf("%s: the caller's event has the owners %v", name, ae.OwnerReferences)
		}
		check = append(check, func() {
			got := raw(t, ae)
			if owners := got.GetOwnerReferences(); len(owners) > 0 || !strings.Contains(got.GetAnnotations()[v1alpha1.AnnotationOwner], ref.Name) {
				t.Errorf("%s: stored with the owners %v and the annotations %v", name, owners, got.GetAnnotations())
			}
		})
	}

	// What the option asks for, the policy refuses unless it is told otherwise; and then the collector does its work.
	sink.OwnerReferences = true
	owned := auditing.NewPolicyApplied(auditing.AdmissionInput{RunName: "hr-1", Namespace: namespace, OwnerRef: new(ownerReference(owner))})
	if err := sink.Write(t.Context(), owned); err == nil || policyOf(err) != labelsPolicy {
		t.Errorf("with its owner: %v", err)
	}
	allowOwners(t)
	owned = auditing.NewPolicyApplied(auditing.AdmissionInput{RunName: "hr-1", Namespace: namespace, OwnerRef: new(ownerReference(owner))})
	must(t, sink.Write(t.Context(), owned))
	must(t, admin.Delete(t.Context(), owner))
	gone(t, owned)
	for _, c := range check {
		c()
	}
}
