package deploytest

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

// bindHeads gives the account the Role audit-heads.
func bindHeads(t *testing.T, subject rbacv1.Subject) {
	t.Helper()
	must(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: "audit-system"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "audit-heads"},
		Subjects:   []rbacv1.Subject{subject},
	}))
}

func TestSealsExchangeHeadsWithTheRoleAlone(t *testing.T) {
	namespace := kube.Namespace(t)
	bindHeads(t, account(namespace, "broker"))
	board, err := kubeseal.NewBoard(serviceAccount(t, namespace, "broker"), kubeseal.BoardOptions{})
	must(t, err)
	entries := func() int {
		heads := corev1.ConfigMap{}
		must(t, admin.Get(t.Context(), client.ObjectKey{Namespace: "audit-system", Name: "audit-heads"}, &heads))
		return len(heads.Data)
	}
	before := entries()
	for i := range 2 { // until the binding is known, the board says that it may not be patched
		eventually(t, func() error {
			sink, err := seal.New(&sinktest.Recorder{}, seal.Options{Component: "broker", Board: board})
			must(t, err)
			must(t, sink.Close(t.Context()))
			if n := entries(); n <= before+i {
				return fmt.Errorf("the board has %d entries", n)
			}
			return nil
		})
	}

	// Applying everything again leaves them there.
	n := entries()
	_, err = applyAll(t.Context())
	must(t, err)
	if after := entries(); after != n {
		t.Errorf("%d entries became %d", n, after)
	}
}
