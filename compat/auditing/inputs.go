package auditing

import "github.com/paddock-dev/audit/auditing"

// What the builders take.
type (
	// AdmissionInput is auditing.AdmissionInput.
	AdmissionInput = auditing.AdmissionInput
	// BrokerCredsTamperedInput is auditing.BrokerCredsTamperedInput.
	BrokerCredsTamperedInput = auditing.BrokerCredsTamperedInput
	// CAMisconfiguredInput is auditing.CAMisconfiguredInput.
	CAMisconfiguredInput = auditing.CAMisconfiguredInput
	// CAProjectionInput is auditing.CAProjectionInput.
	CAProjectionInput = auditing.CAProjectionInput
	// CredentialDeniedInput is auditing.CredentialDeniedInput.
	CredentialDeniedInput = auditing.CredentialDeniedInput
	// CredentialIssuedInput is auditing.CredentialIssuedInput.
	CredentialIssuedInput = auditing.CredentialIssuedInput
	// CredentialRenewalFailedInput is auditing.CredentialRenewalFailedInput.
	CredentialRenewalFailedInput = auditing.CredentialRenewalFailedInput
	// CredentialRenewedInput is auditing.CredentialRenewedInput.
	CredentialRenewedInput = auditing.CredentialRenewedInput
	// CredentialRevokedInput is auditing.CredentialRevokedInput.
	CredentialRevokedInput = auditing.CredentialRevokedInput
	// EgressInput is auditing.EgressInput.
	EgressInput = auditing.EgressInput
	// InteractiveRunTerminatedInput is auditing.InteractiveRunTerminatedInput.
	InteractiveRunTerminatedInput = auditing.InteractiveRunTerminatedInput
	// InterceptionInput is auditing.InterceptionInput.
	InterceptionInput = auditing.InterceptionInput
	// NetworkPolicyEnforcementWithdrawnInput is auditing.NetworkPolicyEnforcementWithdrawnInput.
	NetworkPolicyEnforcementWithdrawnInput = auditing.NetworkPolicyEnforcementWithdrawnInput
	// PromptAuditInput is auditing.PromptAuditInput.
	PromptAuditInput = auditing.PromptAuditInput
	// PromptCompletedInput is auditing.PromptCompletedInput.
	PromptCompletedInput = auditing.PromptCompletedInput
	// RunDecisionInput is auditing.RunDecisionInput.
	RunDecisionInput = auditing.RunDecisionInput
	// ShellClosedInput is auditing.ShellClosedInput.
	ShellClosedInput = auditing.ShellClosedInput
	// ShellOpenedInput is auditing.ShellOpenedInput.
	ShellOpenedInput = auditing.ShellOpenedInput
)
