package deploytest

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// The reaper of deploy/reaper-tombstones stores its checkpoints with its rights, and where the policies name it.
func TestTheReaperSealsItsOwnTrailWithItsRights(t *testing.T) {
	objects, err := render("../reaper-tombstones")
	must(t, err)
	dir := t.TempDir()
	key, audit := filepath.Join(dir, "reaper.key"), filepath.Join(dir, "audit.yaml")
	for _, o := range objects {
		must(t, admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner("deploytest"), client.DryRunAll))
		switch {
		case o.GetName() == "audit-reaper-tombstones":
			must(t, admin.Create(t.Context(), o))
		case o.GetKind() == "Deployment":
			for _, text := range []string{"-audit-config=/etc/audit-tombstones/audit.yaml", "-tombstones=sealed", "/etc/audit-tombstones", "/etc/audit-key", "audit-reaper-key"} {
				if !contains(o, text) {
					t.Errorf("the Deployment has no %s", text)
				}
			}
		case strings.HasPrefix(o.GetName(), "audit-tombstones-"):
			text, _, err := unstructured.NestedString(o.Object, "data", "audit.yaml")
			must(t, err)
			must(t, os.WriteFile(audit, []byte(strings.Replace(text, "/etc/audit-key/reaper.key", key, 1)), 0o600))
		}
	}
	private, _, err := note.GenerateKey(rand.Reader, "prod/audit-reaper")
	must(t, err)
	must(t, os.WriteFile(key, []byte(private), 0o600))
	give(t, map[string]string{"audit-reaper": accountName(reaper.Namespace, reaper.Name)})

	if out, err := reaperCommand(t, "-audit-config", audit, "-tombstones", "sealed", "-once").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var events v1alpha1.AuditEventList
	must(t, admin.List(t.Context(), &events, client.InNamespace(reaper.Namespace), client.MatchingLabels{v1alpha1.LabelComponent: "audit-reaper"}))
	kinds := map[v1alpha1.AuditKind]int{}
	for i := range events.Items {
		kinds[events.Items[i].Spec.Kind]++
	}
	if kinds["trail-opened"] != 1 || kinds["trail-closed"] != 1 {
		t.Errorf("stored are %v", kinds)
	}
}
