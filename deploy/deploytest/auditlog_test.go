package deploytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// auditPolicy has the API server log who deletes events.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, verbs: [delete], resources: [{group: paddock.dev, resources: [auditevents]}]}, {level: None}]
`

// serverLog is the API server's own audit log.
var serverLog string

// logFlags makes a directory for the API server's audit log, and the flags that have the server write it.
func logFlags() (flags []string, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "deploytest")
	if err != nil {
		return nil, nil, err
	}
	serverLog = filepath.Join(dir, "audit.log")
	policyFile := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policyFile, []byte(auditPolicy), 0o600); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return []string{"--audit-policy-file=" + policyFile, "--audit-log-path=" + serverLog}, func() error { return os.RemoveAll(dir) }, nil
}

// logged is a line of the API server's audit log.
type logged struct {
	User, ImpersonatedUser struct{ Username string }
	ObjectRef              struct{ Namespace, Name string }
	Annotations            map[string]string
}

// deletionOf returns the line about the deletion of an event.
func deletionOf(t *testing.T, ae *v1alpha1.AuditEvent) (found logged) {
	t.Helper()
	eventually(t, func() error {
		data, err := os.ReadFile(serverLog)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(data) {
			var l logged
			// The last line may be half written.
			if json.Unmarshal(line, &l) == nil && l.ObjectRef.Namespace == ae.Namespace && l.ObjectRef.Name == ae.Name {
				found = l
				return nil
			}
		}
		return fmt.Errorf("no deletion of %s/%s in the API server's audit log", ae.Namespace, ae.Name)
	})
	return found
}

func TestBreakGlassIsInTheServersAuditLog(t *testing.T) {
	const annotation = "audit-events-deletion/break-glass"
	config := rest.CopyConfig(kube.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "alice", Groups: []string{"audit:break-glass"}}
	alice, err := clientFor(config)
	must(t, err)
	ae := stored(t, "default", "broker")
	must(t, alice.Delete(t.Context(), ae))
	got := deletionOf(t, ae)
	if got.Annotations[annotation] != "used" || got.ImpersonatedUser.Username != "alice" || got.User.Username == "" {
		t.Errorf("the API server logs %+v", got)
	}

	ae = stored(t, "default", "broker")
	must(t, serviceAccount(t, "audit-system", "audit-reaper").Delete(t.Context(), ae))
	if got := deletionOf(t, ae); got.Annotations[annotation] != "" {
		t.Errorf("of a deletion by the reaper, the API server logs %+v", got)
	}
}
