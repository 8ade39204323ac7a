package v1alpha1

import "slices"

// AuditDecision is what a component decided.
//
// +kubebuilder:validation:Enum=granted;denied;warned
type AuditDecision string

// The decisions. An event has exactly one of them.
const (
	// AuditDecisionGranted: the action was allowed, or was carried out.
	AuditDecisionGranted AuditDecision = "granted"
	// AuditDecisionDenied: the action was refused, or failed.
	AuditDecisionDenied AuditDecision = "denied"
	// AuditDecisionWarned: nothing was refused, but somebody should look.
	AuditDecisionWarned AuditDecision = "warned"
)

// Known reports whether d is one of the three decisions.
func (d AuditDecision) Known() bool {
	return d == AuditDecisionGranted || d == AuditDecisionDenied || d == AuditDecisionWarned
}

// AuditKind says what was decided upon. It is open: the constants are the kinds
// of this project, and any DNS label (RFC 1123, at most 63 characters) is valid,
// so that other components can record kinds of their own.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
type AuditKind string

// The known kinds.
const (
	AuditKindCredentialIssued        AuditKind = "credential-issued"
	AuditKindCredentialDenied        AuditKind = "credential-denied"
	AuditKindCredentialRenewed       AuditKind = "credential-renewed"
	AuditKindCredentialRevoked       AuditKind = "credential-revoked"
	AuditKindCredentialRenewalFailed AuditKind = "credential-renewal-failed"

	AuditKindEgressAllow          AuditKind = "egress-allow"
	AuditKindEgressBlock          AuditKind = "egress-block"
	AuditKindEgressBlockSummary   AuditKind = "egress-block-summary"
	AuditKindEgressDiscoveryAllow AuditKind = "egress-discovery-allow"

	AuditKindPolicyApplied  AuditKind = "policy-applied"
	AuditKindPolicyRejected AuditKind = "policy-rejected"

	AuditKindBrokerUnavailable AuditKind = "broker-unavailable"

	AuditKindRunFailed    AuditKind = "run-failed"
	AuditKindRunCompleted AuditKind = "run-completed"

	AuditKindCAProjected     AuditKind = "ca-projected"
	AuditKindCAMisconfigured AuditKind = "ca-misconfigured"

	AuditKindNetworkPolicyEnforcementWithdrawn   AuditKind = "network-policy-enforcement-withdrawn"
	AuditKindBrokerCredsTampered                 AuditKind = "broker-creds-tampered"
	AuditKindInterceptionModeCooperativeAccepted AuditKind = "interception-mode-cooperative-accepted"

	AuditKindPromptSubmitted AuditKind = "prompt-submitted"
	AuditKindPromptCompleted AuditKind = "prompt-completed"

	AuditKindShellSessionOpened       AuditKind = "shell-session-opened"
	AuditKindShellSessionClosed       AuditKind = "shell-session-closed"
	AuditKindInteractiveRunTerminated AuditKind = "interactive-run-terminated"
)

var knownKinds = []AuditKind{
	AuditKindCredentialIssued, AuditKindCredentialDenied, AuditKindCredentialRenewed,
	AuditKindCredentialRevoked, AuditKindCredentialRenewalFailed,
	AuditKindEgressAllow, AuditKindEgressBlock, AuditKindEgressBlockSummary, AuditKindEgressDiscoveryAllow,
	AuditKindPolicyApplied, AuditKindPolicyRejected,
	AuditKindBrokerUnavailable,
	AuditKindRunFailed, AuditKindRunCompleted,
	AuditKindCAProjected, AuditKindCAMisconfigured,
	AuditKindNetworkPolicyEnforcementWithdrawn, AuditKindBrokerCredsTampered,
	AuditKindInterceptionModeCooperativeAccepted,
	AuditKindPromptSubmitted, AuditKindPromptCompleted,
	AuditKindShellSessionOpened, AuditKindShellSessionClosed, AuditKindInteractiveRunTerminated,
}

// KnownKinds returns the kinds that have a constant here, in no promised order.
// The slice is the caller's own.
func KnownKinds() []AuditKind { return slices.Clone(knownKinds) }

// Known reports whether k has a constant here. An unknown kind is valid all the
// same when it is a DNS label.
func (k AuditKind) Known() bool { return slices.Contains(knownKinds, k) }

// The label keys that every stored event carries, so that events can be selected
// without reading their spec. spec is the authority; the labels repeat it.
const (
	// LabelRun holds the run's name, shortened with a hash where it is no label value.
	LabelRun = "paddock.dev/run"
	// LabelDecision holds spec.decision.
	LabelDecision = "paddock.dev/decision"
	// LabelKind holds spec.kind.
	LabelKind = "paddock.dev/kind"
	// LabelComponent holds the component that wrote the event.
	LabelComponent = "paddock.dev/component"
)

// AnnotationTimestamp holds spec.timestamp to the nanosecond (RFC 3339, UTC),
// because metav1.Time drops the fraction of a second in JSON.
const AnnotationTimestamp = "paddock.dev/timestamp"

// AnnotationSeal holds the place of the event in a trail that proves itself: "v1 <trail>
// <index> <salt>". The seal stage sets it.
const AnnotationSeal = "paddock.dev/seal"

// AnnotationOwner holds metadata.ownerReferences as JSON, for what has the event without
// them: an owner reference in the API server has the garbage collector delete the event.
const AnnotationOwner = "paddock.dev/owner"
