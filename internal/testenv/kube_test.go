package testenv_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/testenv"

	utilversion "k8s.io/apimachinery/pkg/util/version"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func clientsFor(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

func newConfigMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func TestKubeServesThisProjectsCRDs(t *testing.T) {
	began := time.Now()
	k := testenv.SharedKube(t)
	t.Logf("etcd and kube-apiserver ready with CRDs after %v", time.Since(began).Round(time.Millisecond))

	resources, err := clientsFor(t, k.Config).Discovery().ServerResourcesForGroupVersion("paddock.dev/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.APIResources {
		if r.Kind == "AuditEvent" {
			return
		}
	}
	t.Errorf("AuditEvent is not among %v", resources.APIResources)
}

func TestRestartedAPIServerKeepsItsObjectsAndCredentials(t *testing.T) {
	ctx := t.Context()
	k := testenv.SharedKube(t)
	clients := clientsFor(t, k.Config)
	maps := clients.CoreV1().ConfigMaps(k.Namespace(t))
	if _, err := maps.Create(ctx, newConfigMap("kept"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	if err := k.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Get(ctx, "kept", metav1.GetOptions{}); err == nil {
		t.Error("a killed API server answered")
	}
	if err := k.KillAPIServer(); err == nil {
		t.Error("killing a killed API server reported no error")
	}

	began := time.Now()
	if err := k.RestartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("kube-apiserver ready again after %v", time.Since(began).Round(time.Millisecond))
	if err := k.RestartAPIServer(ctx); err == nil {
		t.Error("restarting a running API server reported no error")
	}
	if _, err := maps.Get(ctx, "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("get with the client of before the restart: %v", err)
	}
}

func TestConfigForHasOnlyTheRightsOfItsUser(t *testing.T) {
	ctx := t.Context()
	k := testenv.SharedKube(t)
	namespace := k.Namespace(t)
	admin := clientsFor(t, k.Config)
	writer := clientsFor(t, k.ConfigFor("system:serviceaccount:"+namespace+":writer")).CoreV1().ConfigMaps(namespace)

	_, err := writer.Create(ctx, newConfigMap("before"), metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("create without rights: %v, want forbidden", err)
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "writer"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}}},
	}
	if _, err := admin.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "writer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "writer"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "writer"}},
	}
	if _, err := admin.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The authorizer reads roles through an informer, so the right takes effect a moment later.
	eventually(t, func(ctx context.Context) error {
		_, err := writer.Create(ctx, newConfigMap("after"), metav1.CreateOptions{})
		return err
	})
}

// eventually calls try until it returns nil, for at most a minute.
func eventually(t *testing.T, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func TestAPIServerReportsItsVersion(t *testing.T) {
	client, err := discovery.NewDiscoveryClientForConfig(testenv.SharedKube(t).Config)
	if err != nil {
		t.Fatal(err)
	}
	info, err := client.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version, err := utilversion.ParseSemantic(info.GitVersion); err != nil || version.Major() == 0 || info.Major == "" || info.Minor == "" {
		t.Errorf("the version is %+v (%v)", info, err)
	}
}
