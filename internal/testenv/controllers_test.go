package testenv_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/internal/testenv"
)

// The test has a server of its own, because controllers would empty the namespaces of the shared server.
func TestStartedControllersDeleteANamespace(t *testing.T) {
	k, err := testenv.StartEmptyKube()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := k.StartControllers(t.Context(), "no-such-controller"); err == nil || !strings.Contains(err.Error(), "no-such-controller") {
		t.Errorf("starting a controller that does not exist: %v", err)
	}
	if err := k.StartControllers(t.Context(), "namespace-controller"); err != nil {
		t.Fatal(err)
	}

	namespaces := clientsFor(t, k.Config).CoreV1().Namespaces()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "brief"}}
	if _, err := namespaces.Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := namespaces.Delete(t.Context(), ns.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		left, err := namespaces.Get(ctx, ns.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("the namespace is still there: %v, %w", left.Status, err)
	})
}
