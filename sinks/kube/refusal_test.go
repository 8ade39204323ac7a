package kube_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestWithoutRightsTheErrorIsForbiddenAndCountsOnce(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	sink := kube.Sink{
		Client:    newClient(t, server.ConfigFor("system:serviceaccount:"+ns+":nobody", "system:serviceaccounts")),
		Component: "forbidden-test",
	}
	before := failures(t, "forbidden-test", "granted", "credential-issued")
	err := sink.Write(t.Context(), issued(ns))
	wantClass(t, err, auditing.ClassPermanent)
	if !apierrors.IsForbidden(err) {
		t.Errorf("%v does not unwrap to Forbidden", err)
	}
	if rose := failures(t, "forbidden-test", "granted", "credential-issued") - before; rose != 1 {
		t.Errorf("the counter rose by %v, want 1", rose)
	}
	if n := len(list(t, newClient(t, server.Config), ns)); n != 0 {
		t.Errorf("%d objects, want none", n)
	}
}

// grant gives a service account of ns these verbs on auditevents and returns its configuration.
func grant(t *testing.T, server *testenv.Kube, ns, account string, verbs ...string) *rest.Config {
	t.Helper()
	clients, err := kubernetes.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"paddock.dev"}, Resources: []string{"auditevents"}, Verbs: verbs}},
	}
	if _, err := clients.RbacV1().Roles(ns).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: ns}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
	}
	if _, err := clients.RbacV1().RoleBindings(ns).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return server.ConfigFor("system:serviceaccount:" + ns + ":" + account)
}

// granted waits until the API server's authorizer knows a new role.
func granted(t *testing.T, sink kube.Sink, ns string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		err := sink.Write(ctx, issued(ns))
		if err == nil {
			return
		}
		if ctx.Err() != nil || !apierrors.IsForbidden(err) {
			t.Fatal(err)
		}
	}
}

func TestTrustedNamesMakeARetryOfACreator(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	sink := kube.Sink{Client: newClient(t, grant(t, server, ns, "emitter", "create")), Component: "emitter", TrustNames: true}
	granted(t, sink, ns)

	ae := issued(ns)
	for range 2 {
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
	// By default the name is no proof: somebody else may have taken it.
	sink.TrustNames = false
	err := sink.Write(t.Context(), ae)
	wantClass(t, err, auditing.ClassTransient)
	if !strings.Contains(err.Error(), "right to patch") {
		t.Errorf("%v does not name the right", err)
	}
	sink.TrustNames = true
	named := issued(ns)
	named.Name = "chosen-by-the-caller"
	if err := sink.Write(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	// Nothing tells whether this is a retry, so it must not pass for one.
	err = sink.Write(t.Context(), named)
	wantClass(t, err, auditing.ClassTransient)
	if !apierrors.IsAlreadyExists(err) {
		t.Errorf("%v does not unwrap to AlreadyExists", err)
	}
}

func TestAReaderNeedsOnlyTheRightToGet(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	c := newClient(t, grant(t, server, ns, "emitter", "create", "get"))
	sink := kube.Sink{Client: c, Reader: c}
	granted(t, sink, ns)
	ae := issued(ns)
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	ae.Spec.Reason = "another"
	wantClass(t, sink.Write(t.Context(), ae), auditing.ClassPermanent)
}

func TestBadInputIsRefusedWithTheNameOfTheField(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	with := func(change func(*v1alpha1.AuditEvent)) *v1alpha1.AuditEvent {
		ae := issued(ns)
		change(ae)
		return ae
	}
	cases := map[string]struct {
		sink kube.Sink
		ae   *v1alpha1.AuditEvent
		want string
	}{
		"no client":        {kube.Sink{}, issued(ns), "Sink.Client is nil"},
		"no event":         {kube.Sink{Client: c}, nil, "the event is nil"},
		"no namespace":     {kube.Sink{Client: c}, issued(""), "metadata.namespace"},
		"bad namespace":    {kube.Sink{Client: c}, issued("Team A"), "metadata.namespace"},
		"bad component":    {kube.Sink{Client: c, Component: "the broker"}, issued(ns), "component"},
		"unknown decision": {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "maybe" }), "spec.decision"},
		"no kind":          {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "" }), "spec.kind"},
		"bad kind":         {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "Not A Label" }), "spec.kind"},
		"zero timestamp":   {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp = metav1.Time{} }), "spec.timestamp"},
		"bad name":         {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Name = "Bad Name" }), "metadata.name"},
		"bad prefix":       {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.GenerateName = "Bad_" }), "metadata.generateName"},
		"bad label":        {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.Labels["team"] = "a b" }), "metadata.labels"},
		"bad owner":        {kube.Sink{Client: c}, with(func(ae *v1alpha1.AuditEvent) { ae.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} }), "metadata.ownerReferences"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.sink.Write(t.Context(), tc.ae)
			class := auditing.ClassInvalid
			if tc.sink.Client == nil {
				class = auditing.ClassPermanent // the event would do
			}
			wantClass(t, err, class)
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v does not name %s", err, tc.want)
			}
		})
	}
	missing := issued("no-such-namespace")
	err := (kube.Sink{Client: c}).Write(t.Context(), missing)
	wantClass(t, err, auditing.ClassPermanent)
	if !apierrors.IsNotFound(err) {
		t.Errorf("%v does not unwrap to NotFound", err)
	}
	if n := len(list(t, c, ns)); n != 0 {
		t.Errorf("%d objects were stored, want none", n)
	}
}

// refusing is a client whose every Create fails so. A real server does not
// refuse on demand in each of these ways.
type refusing struct {
	client.Writer
	err error
}

func (r refusing) Create(context.Context, client.Object, ...client.CreateOption) error { return r.err }

func noResource() error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "post", schema.GroupResource{Resource: "auditevents"}, "", "", 0, true)
}

func noNamespace() error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "gone")
}

func goingNamespace(events schema.GroupResource) error {
	going := apierrors.NewForbidden(events, "x", errors.New("it is being terminated"))
	going.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return going
}

func TestErrorsAreClassifiedByWhatARetryWouldDo(t *testing.T) {
	events := schema.GroupResource{Group: "paddock.dev", Resource: "auditevents"}
	throttled := apierrors.NewTooManyRequests("slow down", 7)
	unavailable := apierrors.NewServiceUnavailable("restarting")
	unavailable.ErrStatus.Details = &metav1.StatusDetails{RetryAfterSeconds: 3}
	cases := map[string]struct {
		err   error
		class auditing.Class
		pause time.Duration
	}{
		"over quota":         {apierrors.NewForbidden(events, "x", errors.New("exceeded quota: audit, requested: count/auditevents.paddock.dev=1")), auditing.ClassFull, 0},
		"no resource":        {noResource(), auditing.ClassPermanent, 0},
		"no namespace":       {noNamespace(), auditing.ClassPermanent, 0},
		"namespace going":    {goingNamespace(events), auditing.ClassPermanent, 0},
		"forbidden":          {apierrors.NewForbidden(events, "x", errors.New("no")), auditing.ClassPermanent, 0},
		"invalid":            {apierrors.NewInvalid(schema.GroupKind{Kind: "AuditEvent"}, "x", nil), auditing.ClassPermanent, 0},
		"too large":          {apierrors.NewRequestEntityTooLargeError("3 MiB"), auditing.ClassPermanent, 0},
		"no CRD":             {&meta.NoKindMatchError{}, auditing.ClassPermanent, 0},
		"not in the scheme":  {runtime.NewNotRegisteredErrForKind("test", schema.GroupVersionKind{}), auditing.ClassPermanent, 0},
		"throttled":          {throttled, auditing.ClassTransient, 7 * time.Second},
		"timed out":          {apierrors.NewTimeoutError("slow", 2), auditing.ClassTransient, 2 * time.Second},
		"server timeout":     {apierrors.NewServerTimeout(events, "create", 0), auditing.ClassTransient, 0},
		"unavailable":        {unavailable, auditing.ClassTransient, 3 * time.Second},
		"internal":           {apierrors.NewInternalError(errors.New("etcd")), auditing.ClassTransient, 0},
		"token expired":      {apierrors.NewUnauthorized("expired"), auditing.ClassTransient, 0},
		"connection refused": {&http.MaxBytesError{}, auditing.ClassTransient, 0},
		"deadline":           {context.DeadlineExceeded, auditing.ClassTimeout, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := kube.Sink{Client: refusing{err: tc.err}}.Write(t.Context(), issued("default"))
			wantClass(t, err, tc.class)
			mendable := name == "forbidden" || name == "no CRD" || name == "no resource"
			if got := driver.IsMendable(err); got != mendable {
				t.Errorf("mendable: %t, want %t", got, mendable)
			}
			var we *auditing.WriteError
			if errors.As(err, &we); we.RetryAfter != tc.pause {
				t.Errorf("pause %s, want %s", we.RetryAfter, tc.pause)
			}
			if !errors.Is(err, tc.err) {
				t.Errorf("%v does not unwrap to its cause", err)
			}
		})
	}
}
