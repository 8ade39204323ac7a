package v1alpha1

// Earlier names of two types. Code that uses them goes on compiling; new code uses
// the names that they stand for.
type (
	// AuditCredentialRef is an earlier name of AuditCredential.
	AuditCredentialRef = AuditCredential
	// LocalObjectReference is an earlier name of LocalReference.
	LocalObjectReference = LocalReference
)

// Earlier names of the label keys.
const (
	AuditEventLabelRun       = LabelRun
	AuditEventLabelDecision  = LabelDecision
	AuditEventLabelKind      = LabelKind
	AuditEventLabelComponent = LabelComponent
)
