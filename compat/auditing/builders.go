package auditing

import (
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// NewBrokerCredsTampered is auditing.NewBrokerCredsTampered.
func NewBrokerCredsTampered(in BrokerCredsTamperedInput) *v1alpha1.AuditEvent {
	return auditing.NewBrokerCredsTampered(in)
}

// NewCAMisconfigured is auditing.NewCAMisconfigured.
func NewCAMisconfigured(in CAMisconfiguredInput) *v1alpha1.AuditEvent {
	return auditing.NewCAMisconfigured(in)
}

// NewCAProjected is auditing.NewCAProjected.
func NewCAProjected(in CAProjectionInput) *v1alpha1.AuditEvent {
	return auditing.NewCAProjected(in)
}

// NewCredentialDenied is auditing.NewCredentialDenied.
func NewCredentialDenied(in CredentialDeniedInput) *v1alpha1.AuditEvent {
	return auditing.NewCredentialDenied(in)
}

// NewCredentialIssued is auditing.NewCredentialIssued.
func NewCredentialIssued(in CredentialIssuedInput) *v1alpha1.AuditEvent {
	return auditing.NewCredentialIssued(in)
}

// NewCredentialRenewalFailed is auditing.NewCredentialRenewalFailed.
func NewCredentialRenewalFailed(in CredentialRenewalFailedInput) *v1alpha1.AuditEvent {
	return auditing.NewCredentialRenewalFailed(in)
}

// NewCredentialRenewed is auditing.NewCredentialRenewed.
func NewCredentialRenewed(in CredentialRenewedInput) *v1alpha1.AuditEvent {
	return auditing.NewCredentialRenewed(in)
}

// NewCredentialRevoked is auditing.NewCredentialRevoked.
func NewCredentialRevoked(in CredentialRevokedInput) *v1alpha1.AuditEvent {
	return auditing.NewCredentialRevoked(in)
}

// NewEgressAllow is auditing.NewEgressAllow.
func NewEgressAllow(in EgressInput) *v1alpha1.AuditEvent {
	return auditing.NewEgressAllow(in)
}

// NewEgressBlock is auditing.NewEgressBlock.
func NewEgressBlock(in EgressInput) *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(in)
}

// NewEgressDiscoveryAllow is auditing.NewEgressDiscoveryAllow.
func NewEgressDiscoveryAllow(in EgressInput) *v1alpha1.AuditEvent {
	return auditing.NewEgressDiscoveryAllow(in)
}

// NewInteractiveRunTerminated is auditing.NewInteractiveRunTerminated.
func NewInteractiveRunTerminated(in InteractiveRunTerminatedInput) *v1alpha1.AuditEvent {
	return auditing.NewInteractiveRunTerminated(in)
}

// NewInterceptionModeCooperativeAccepted is auditing.NewInterceptionModeCooperativeAccepted.
func NewInterceptionModeCooperativeAccepted(in InterceptionInput) *v1alpha1.AuditEvent {
	return auditing.NewInterceptionModeCooperativeAccepted(in)
}

// NewNetworkPolicyEnforcementWithdrawn is auditing.NewNetworkPolicyEnforcementWithdrawn.
func NewNetworkPolicyEnforcementWithdrawn(in NetworkPolicyEnforcementWithdrawnInput) *v1alpha1.AuditEvent {
	return auditing.NewNetworkPolicyEnforcementWithdrawn(in)
}

// NewPolicyApplied is auditing.NewPolicyApplied.
func NewPolicyApplied(in AdmissionInput) *v1alpha1.AuditEvent {
	return auditing.NewPolicyApplied(in)
}

// NewPolicyRejected is auditing.NewPolicyRejected.
func NewPolicyRejected(in AdmissionInput) *v1alpha1.AuditEvent {
	return auditing.NewPolicyRejected(in)
}

// NewPromptCompleted is auditing.NewPromptCompleted.
func NewPromptCompleted(in PromptCompletedInput) *v1alpha1.AuditEvent {
	return auditing.NewPromptCompleted(in)
}

// NewPromptSubmitted is auditing.NewPromptSubmitted.
func NewPromptSubmitted(in PromptAuditInput) *v1alpha1.AuditEvent {
	return auditing.NewPromptSubmitted(in)
}

// NewRunCompleted is auditing.NewRunCompleted.
func NewRunCompleted(in RunDecisionInput) *v1alpha1.AuditEvent {
	return auditing.NewRunCompleted(in)
}

// NewRunFailed is auditing.NewRunFailed.
func NewRunFailed(in RunDecisionInput) *v1alpha1.AuditEvent {
	return auditing.NewRunFailed(in)
}

// NewShellSessionClosed is auditing.NewShellSessionClosed.
func NewShellSessionClosed(in ShellClosedInput) *v1alpha1.AuditEvent {
	return auditing.NewShellSessionClosed(in)
}

// NewShellSessionOpened is auditing.NewShellSessionOpened.
func NewShellSessionOpened(in ShellOpenedInput) *v1alpha1.AuditEvent {
	return auditing.NewShellSessionOpened(in)
}
