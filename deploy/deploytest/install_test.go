package deploytest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestApplyingEverythingTwiceChangesNothing(t *testing.T) {
	if len(firstApply) == 0 || len(secondApply) != len(firstApply) {
		t.Fatalf("applied %d objects, then %d", len(firstApply), len(secondApply))
	}
	for i, first := range firstApply {
		second := secondApply[i]
		t.Logf("%s: %q to %q, then %q to %q", first.id, first.before, first.after, second.before, second.after)
		if first.before != "" {
			t.Errorf("%s was there before: the server was not empty", first.id)
		}
		if second.id != first.id || second.before != second.after {
			t.Errorf("%s changed when it was applied again", first.id)
		}
	}
}

// typeChecked waits until the policy's expressions were checked against the types that they read.
func typeChecked(t *testing.T, name string) (warnings []string) {
	t.Helper()
	var policy admissionv1.ValidatingAdmissionPolicy
	eventually(t, func() error {
		if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, &policy); err != nil {
			return err
		}
		if policy.Status.ObservedGeneration != policy.Generation || policy.Status.TypeChecking == nil {
			return fmt.Errorf("%s was not type-checked: status %+v", name, policy.Status)
		}
		return nil
	})
	for _, w := range policy.Status.TypeChecking.ExpressionWarnings {
		warnings = append(warnings, w.FieldRef+": "+w.Warning)
	}
	return warnings
}

func TestPoliciesHaveNoTypeWarnings(t *testing.T) {
	for _, name := range []string{labelsPolicy, writersPolicy, deletionPolicy} {
		if warnings := typeChecked(t, name); len(warnings) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(warnings, "\n"))
		}
	}

	wrong := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "wrong-on-purpose"},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{"paddock.dev"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"auditevents"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "object.spec.nosuchfield == ''"}},
		},
	}
	must(t, admin.Create(t.Context(), wrong))
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), wrong)) })
	if warnings := typeChecked(t, wrong.Name); len(warnings) != 1 || !strings.Contains(warnings[0], "nosuchfield") {
		t.Errorf("the type checker does not know AuditEvent: %v", warnings)
	}
}
