package v1alpha1_test

import (
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func TestEarlierNamesStandForTheSame(t *testing.T) {
	ae := v1alpha1.AuditEvent{Spec: v1alpha1.AuditEventSpec{
		RunRef:     &v1alpha1.LocalObjectReference{Name: "run-1"},
		Credential: &v1alpha1.AuditCredentialRef{Name: "github-token"},
	}}
	run, credential := v1alpha1.LocalReference{Name: "run-1"}, v1alpha1.AuditCredential{Name: "github-token"}
	if *ae.Spec.RunRef != run || *ae.Spec.Credential != credential {
		t.Errorf("the spec is %+v", ae.Spec)
	}
	for earlier, now := range map[string]string{
		v1alpha1.AuditEventLabelRun:       v1alpha1.LabelRun,
		v1alpha1.AuditEventLabelDecision:  v1alpha1.LabelDecision,
		v1alpha1.AuditEventLabelKind:      v1alpha1.LabelKind,
		v1alpha1.AuditEventLabelComponent: v1alpha1.LabelComponent,
	} {
		if earlier != now {
			t.Errorf("the label %s is %s now", earlier, now)
		}
	}
}
