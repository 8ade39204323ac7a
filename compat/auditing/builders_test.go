package auditing

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// of makes a builder one that takes its input as JSON.
func of[In any](build func(In) *v1alpha1.AuditEvent) func([]byte) (*v1alpha1.AuditEvent, error) {
	return func(data []byte) (*v1alpha1.AuditEvent, error) {
		var in In
		err := json.Unmarshal(data, &in)
		return build(in), err
	}
}

var builders = map[string]func([]byte) (*v1alpha1.AuditEvent, error){
	"NewBrokerCredsTampered":                 of(NewBrokerCredsTampered),
	"NewCAMisconfigured":                     of(NewCAMisconfigured),
	"NewCAProjected":                         of(NewCAProjected),
	"NewCredentialDenied":                    of(NewCredentialDenied),
	"NewCredentialIssued":                    of(NewCredentialIssued),
	"NewCredentialRenewalFailed":             of(NewCredentialRenewalFailed),
	"NewCredentialRenewed":                   of(NewCredentialRenewed),
	"NewCredentialRevoked":                   of(NewCredentialRevoked),
	"NewEgressAllow":                         of(NewEgressAllow),
	"NewEgressBlock":                         of(NewEgressBlock),
	"NewEgressDiscoveryAllow":                of(NewEgressDiscoveryAllow),
	"NewInteractiveRunTerminated":            of(NewInteractiveRunTerminated),
	"NewInterceptionModeCooperativeAccepted": of(NewInterceptionModeCooperativeAccepted),
	"NewNetworkPolicyEnforcementWithdrawn":   of(NewNetworkPolicyEnforcementWithdrawn),
	"NewPolicyApplied":                       of(NewPolicyApplied),
	"NewPolicyRejected":                      of(NewPolicyRejected),
	"NewPromptCompleted":                     of(NewPromptCompleted),
	"NewPromptSubmitted":                     of(NewPromptSubmitted),
	"NewRunCompleted":                        of(NewRunCompleted),
	"NewRunFailed":                           of(NewRunFailed),
	"NewShellSessionClosed":                  of(NewShellSessionClosed),
	"NewShellSessionOpened":                  of(NewShellSessionOpened),
}

func TestBuildersReturnWhatTheirRowsSay(t *testing.T) {
	data, err := os.ReadFile("../../auditing/testdata/builders.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rows []struct {
			Func           string
			Input          json.RawMessage
			Want           map[string]any
			ReasonContains []string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	unseen := map[string]bool{}
	for name := range builders {
		unseen[name] = true
	}
	for _, row := range file.Rows {
		delete(unseen, row.Func)
		build, ok := builders[row.Func]
		if !ok {
			t.Errorf("no builder %s", row.Func)
			continue
		}
		ae, err := build(row.Input)
		if err != nil {
			t.Errorf("%s: %v", row.Func, err)
			continue
		}
		got := filled(t, ae)
		if len(row.ReasonContains) > 0 {
			for _, part := range row.ReasonContains {
				if !strings.Contains(ae.Spec.Reason, part) {
					t.Errorf("%s: reason %q does not contain %q", row.Func, ae.Spec.Reason, part)
				}
			}
			delete(got["spec"].(map[string]any), "reason")
		}
		if !reflect.DeepEqual(got, row.Want) {
			t.Errorf("%s with %s:\ngot  %v\nwant %v", row.Func, row.Input, got, row.Want)
		}
	}
	if len(unseen) > 0 {
		t.Errorf("no row for %v", unseen)
	}
}

// filled returns the fields of metadata and spec that are not empty.
func filled(t *testing.T, ae *v1alpha1.AuditEvent) map[string]any {
	t.Helper()
	data, err := json.Marshal(map[string]any{"metadata": ae.ObjectMeta, "spec": ae.Spec})
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
