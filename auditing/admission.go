package auditing

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// AdmissionInput is what NewPolicyApplied and NewPolicyRejected take.
type AdmissionInput struct {
	RunName   string
	Namespace string
	// TemplateRef names the template that the run asked for.
	TemplateRef string
	Reason      string
	// When the request was reviewed; zero for now.
	When time.Time
	// OwnerRef, when not nil, becomes the event's only owner reference. The owner
	// must have a UID, which an object under review has on update and not yet on
	// creation: leave it nil there.
	OwnerRef *metav1.OwnerReference
}

// NewPolicyApplied builds a policy-applied event, granted: the run was admitted.
func NewPolicyApplied(in AdmissionInput) *v1alpha1.AuditEvent {
	return newAdmission(in, v1alpha1.AuditKindPolicyApplied, v1alpha1.AuditDecisionGranted)
}

// NewPolicyRejected builds a policy-rejected event, denied: the run was refused.
func NewPolicyRejected(in AdmissionInput) *v1alpha1.AuditEvent {
	return newAdmission(in, v1alpha1.AuditKindPolicyRejected, v1alpha1.AuditDecisionDenied)
}

func newAdmission(in AdmissionInput, kind v1alpha1.AuditKind, decision v1alpha1.AuditDecision) *v1alpha1.AuditEvent {
	return build("ae-policy-", EventInput{
		Kind: kind, Decision: decision,
		RunName: in.RunName, Namespace: in.Namespace, When: in.When,
		Reason: in.Reason, OwnerRef: in.OwnerRef,
	}, "templateRef", in.TemplateRef)
}
