// Package v1alpha1 holds the AuditEvent resource of the API group paddock.dev:
// one decision of one component, written once and never changed.
//
// The types, the kinds, the decisions and the label keys stand here, and the
// registration with a runtime.Scheme. The package imports apimachinery only, so
// that reading events costs a program nothing else. To make events, use package
// auditing.
//
// +kubebuilder:object:generate=true
// +groupName=paddock.dev
package v1alpha1
