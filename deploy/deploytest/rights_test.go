package deploytest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// outcome of an attempt.
type outcome string

const (
	allowed outcome = "allowed"
	noRight outcome = "refused by RBAC"
	policy  outcome = "refused by a policy"
)

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return allowed
	case policyOf(err) != "":
		return policy
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot"):
		return noRight
	}
	return outcome(err.Error())
}

// The namespaces of the table. Rights that are bound in one do not reach into the other.
const here, there = "rights-here", "rights-there"

type attempt struct {
	who, verb, what, namespace string
	want                       outcome
}

// Those of one identity stand together, what it may do before what it may not: then its bindings are known to work.
var attempts = []attempt{
	{"emitter", "create", "event", here, allowed},
	{"emitter", "create", "event", there, noRight},
	{"emitter", "get", "event", here, noRight},
	{"emitter", "list", "event", here, noRight},
	{"emitter", "watch", "event", here, noRight},
	{"emitter", "patch", "event", here, noRight},
	{"emitter", "dry-run patch", "event", here, noRight},
	{"emitter", "update", "event", here, noRight},
	{"emitter", "delete", "event", here, noRight},
	{"emitter", "deletecollection", "event", here, noRight},
	{"emitter", "get", "mapping", "audit-system", noRight},
	{"emitter", "update", "mapping", "audit-system", noRight},

	{"emitter", "patch", "heads", "audit-system", noRight},

	{"sealing emitter", "patch", "heads", "audit-system", allowed},
	{"sealing emitter", "create", "event", here, allowed},
	{"sealing emitter", "patch", "mapping", "audit-system", noRight},
	{"sealing emitter", "patch", "heads", here, noRight},
	{"sealing emitter", "get", "heads", "audit-system", noRight},
	{"sealing emitter", "update", "heads", "audit-system", noRight},
	{"sealing emitter", "delete", "heads", "audit-system", noRight},

	{"emitter everywhere", "create", "event", here, allowed},
	{"emitter everywhere", "create", "event", there, allowed},
	{"emitter everywhere", "list", "event", there, noRight},
	{"emitter everywhere", "delete", "event", there, noRight},

	{"verifying emitter", "create", "event", here, allowed},
	{"verifying emitter", "dry-run patch", "event", here, allowed},
	{"verifying emitter", "patch", "event", here, allowed},
	{"verifying emitter", "patch query label", "event", here, policy},
	{"verifying emitter", "get", "event", here, noRight},
	{"verifying emitter", "list", "event", here, noRight},
	{"verifying emitter", "update", "event", here, noRight},
	{"verifying emitter", "delete", "event", here, noRight},
	{"verifying emitter", "create", "event", there, noRight},

	{"reader", "get", "event", here, allowed},
	{"reader", "list", "event", here, allowed},
	{"reader", "watch", "event", here, allowed},
	{"reader", "get", "event", there, noRight},
	{"reader", "create", "event", here, noRight},
	{"reader", "patch", "event", here, noRight},
	{"reader", "delete", "event", here, noRight},
	{"reader", "deletecollection", "event", here, noRight},

	{"auditor", "list", "event", "", allowed},
	{"auditor", "watch", "event", "", allowed},
	{"auditor", "get", "event", there, allowed},
	{"auditor", "create", "event", there, noRight},
	{"auditor", "delete", "event", there, noRight},

	{"reaper", "list", "event", "", allowed},
	{"reaper", "delete", "event", here, allowed},
	{"reaper", "delete", "event", there, allowed},
	{"reaper", "create", "lease audit-reaper", "audit-system", allowed},
	{"reaper", "get", "lease audit-reaper", "audit-system", allowed},
	{"reaper", "update", "lease audit-reaper", "audit-system", allowed},
	{"reaper", "create", "lease audit-reaper-policy", "audit-system", allowed},
	{"reaper", "get", "lease audit-reaper-policy", "audit-system", allowed},
	{"reaper", "update", "lease audit-reaper-policy", "audit-system", allowed},
	{"reaper", "get", "event", here, noRight},
	{"reaper", "watch", "event", here, noRight},
	{"reaper", "create", "event", here, noRight},
	{"reaper", "patch", "event", here, noRight},
	{"reaper", "update", "event", here, noRight},
	{"reaper", "deletecollection", "event", here, noRight},
	{"reaper", "update", "lease other", "audit-system", noRight},
	{"reaper", "delete", "lease audit-reaper", "audit-system", noRight},
	{"reaper", "create", "lease audit-reaper", here, noRight},
	{"reaper", "update", "mapping", "audit-system", noRight},
	{"reaper", "get", "secret", "audit-system", noRight},
	{"reaper", "update", "policy", "", noRight},

	{"break glass", "get", "event", here, allowed},
	{"break glass", "list", "event", here, allowed},
	{"break glass", "delete", "event", here, allowed},
	{"break glass", "deletecollection", "event", there, allowed},
	{"break glass", "create", "event", here, noRight},
	{"break glass", "patch", "event", here, noRight},
	{"break glass", "update", "mapping", "audit-system", noRight},

	{"viewer", "get", "mapping", here, allowed},
	{"viewer", "get", "event", here, noRight},
	{"viewer", "list", "event", here, noRight},
	{"namespace admin", "update", "mapping", here, allowed},
	{"namespace admin", "get", "event", here, noRight},
	{"namespace admin", "create", "event", here, noRight},
	{"namespace admin", "delete", "event", here, noRight},

	{"nobody", "create", "event", here, noRight},
	{"nobody", "list", "event", here, noRight},
	{"nobody", "delete", "event", here, noRight},

	{"cluster admin", "create", "event", here, allowed},
	{"cluster admin", "patch", "event", here, allowed},
	{"cluster admin", "patch query label", "event", here, policy},
	{"cluster admin", "delete", "event", here, policy},
	{"cluster admin", "deletecollection", "event", here, policy},
}

func identities(t *testing.T) map[string]client.WithWatch {
	t.Helper()
	bind(t, "audit-emitter", here, account(here, "broker"))
	bind(t, "audit-emitter", here, account(here, "sealing"))
	bindHeads(t, account(here, "sealing"))
	bind(t, "audit-emitter", "", account("audit-system", "everywhere"))
	bind(t, "audit-emitter-verifying", here, account(here, "verifying"))
	bind(t, "audit-reader", here, account(here, "console"))
	bind(t, "audit-reader", "", rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "auditors"})
	bind(t, "view", here, account(here, "viewer"))
	bind(t, "admin", here, account(here, "admin"))
	return map[string]client.WithWatch{
		"emitter":            serviceAccount(t, here, "broker"),
		"sealing emitter":    serviceAccount(t, here, "sealing"),
		"emitter everywhere": serviceAccount(t, "audit-system", "everywhere"),
		"verifying emitter":  serviceAccount(t, here, "verifying"),
		"reader":             serviceAccount(t, here, "console"),
		"auditor":            user(t, "alice", "auditors"),
		"reaper":             serviceAccount(t, "audit-system", "audit-reaper"),
		"break glass":        user(t, "alice", "audit:break-glass"),
		"viewer":             serviceAccount(t, here, "viewer"),
		"namespace admin":    serviceAccount(t, here, "admin"),
		"nobody":             serviceAccount(t, here, "nobody"),
		"cluster admin":      admin,
	}
}

func TestEveryRoleAllowsItsWorkAndNothingElse(t *testing.T) {
	for _, namespace := range []string{here, there} {
		must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
		must(t, admin.Create(t.Context(), newConfigMap(namespace, "audit-components")))
		must(t, admin.Create(t.Context(), newConfigMap(namespace, "audit-heads")))
	}
	must(t, admin.Create(t.Context(), lease("audit-system", "other")))
	must(t, admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "audit-system", Name: "secret"}}))
	clients := identities(t)
	for _, a := range attempts {
		t.Run(fmt.Sprintf("%s %s %s in %s", a.who, a.verb, a.what, a.namespace), func(t *testing.T) {
			if a.want == allowed {
				eventually(t, func() error { return a.do(t, clients[a.who]) }) // bindings take a moment
				return
			}
			if got := outcomeOf(a.do(t, clients[a.who])); got != a.want {
				t.Errorf("%s, want %s", got, a.want)
			}
		})
	}
	t.Logf("%d attempts", len(attempts))
}

// do makes the attempt, on an event that exists or, for create, on a new one. It proves that a refusal left the event as
// it was, and that an allowed attempt took effect.
func (a attempt) do(t *testing.T, c client.WithWatch) error {
	t.Helper()
	if a.what != "event" {
		return act(t.Context(), c, a.verb, a.object())
	}
	namespace := a.namespace
	if namespace == "" {
		namespace = here
	}
	ae := newEvent(namespace, "broker")
	if a.verb == "create" {
		err := c.Create(t.Context(), ae)
		if read := admin.Get(t.Context(), client.ObjectKeyFromObject(ae), ae); (read == nil) != (err == nil) {
			t.Errorf("create: %v, read back: %v", err, read)
		}
		return err
	}
	must(t, admin.Create(t.Context(), ae))
	before := raw(t, ae)
	target := ae.DeepCopy()
	if a.namespace == "" {
		target.Namespace = ""
	}
	err := act(t.Context(), c, a.verb, target)
	if err == nil && strings.HasPrefix(a.verb, "delete") {
		gone(t, ae)
	} else if err != nil && !equal(before, raw(t, ae)) {
		t.Errorf("it was refused (%v) and changed all the same: %v", err, raw(t, ae))
	}
	return err
}

func (a attempt) object() client.Object {
	kind, name, _ := strings.Cut(a.what, " ")
	switch kind {
	case "mapping":
		return newConfigMap(a.namespace, "audit-components")
	case "heads":
		return newConfigMap(a.namespace, "audit-heads")
	case "lease":
		return lease(a.namespace, name)
	case "secret":
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "secret"}}
	case "policy":
		return &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: deletionPolicy}}
	}
	panic("no object " + a.what)
}

func lease(namespace, name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func act(ctx context.Context, c client.WithWatch, verb string, obj client.Object) error {
	merge := func(patch string, opts ...client.PatchOption) error {
		return c.Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(patch)), opts...)
	}
	switch verb {
	case "create":
		return ignoreExists(c.Create(ctx, obj))
	case "get":
		return c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	case "list":
		return c.List(ctx, &v1alpha1.AuditEventList{}, client.InNamespace(obj.GetNamespace()))
	case "watch":
		w, err := c.Watch(ctx, &v1alpha1.AuditEventList{}, client.InNamespace(obj.GetNamespace()))
		if err == nil {
			w.Stop()
		}
		return err
	case "patch":
		return merge(`{"metadata":{"labels":{"reviewed-by":"alice"}}}`)
	case "patch query label":
		return merge(`{"metadata":{"labels":{"paddock.dev/decision":"granted"}}}`)
	case "dry-run patch":
		return merge(`{}`, client.DryRunAll)
	case "update":
		if err := admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		return c.Update(ctx, obj)
	case "delete":
		return c.Delete(ctx, obj)
	case "deletecollection":
		return c.DeleteAllOf(ctx, obj, client.InNamespace(obj.GetNamespace()))
	}
	panic("no verb " + verb)
}
