// Package v1alpha1 is the program's own package of the AuditEvent resource.
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of AuditEvent.
var GroupVersion = schema.GroupVersion{Group: "paddock.dev", Version: "v1alpha1"}

// AddToScheme makes AuditEvent known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &AuditEvent{}, &AuditEventList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

type (
	// AuditDecision is granted or denied.
	AuditDecision string
	// AuditKind says what was decided upon.
	AuditKind string
)

// The decisions and kinds of this program.
const (
	AuditDecisionGranted AuditDecision = "granted"
	AuditDecisionDenied  AuditDecision = "denied"

	AuditKindCredentialIssued AuditKind = "credential-issued"
	AuditKindCredentialDenied AuditKind = "credential-denied"
)

// LocalObjectReference names an object in the event's namespace.
type LocalObjectReference struct {
	Name string `json:"name"`
}

// AuditCredentialRef names a credential.
type AuditCredentialRef struct {
	Name     string `json:"name,omitempty"`
	Provider string `json:"provider,omitempty"`
}

// AuditEventSpec is what was decided.
type AuditEventSpec struct {
	RunRef        *LocalObjectReference `json:"runRef,omitempty"`
	Decision      AuditDecision         `json:"decision"`
	Kind          AuditKind             `json:"kind"`
	Timestamp     metav1.Time           `json:"timestamp"`
	Credential    *AuditCredentialRef   `json:"credential,omitempty"`
	MatchedPolicy *LocalObjectReference `json:"matchedPolicy,omitempty"`
	Reason        string                `json:"reason,omitempty"`
	Count         int32                 `json:"count,omitempty"`
}

// AuditEvent is the record of one decision.
type AuditEvent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AuditEventSpec `json:"spec"`
}

// AuditEventList is a list of AuditEvents.
type AuditEventList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AuditEvent `json:"items"`
}

// DeepCopyObject returns a copy of the event.
func (ae *AuditEvent) DeepCopyObject() runtime.Object {
	out, meta := *ae, &ae.ObjectMeta
	meta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.RunRef, out.Spec.Credential, out.Spec.MatchedPolicy = clone(ae.Spec.RunRef), clone(ae.Spec.Credential), clone(ae.Spec.MatchedPolicy)
	return &out
}

// DeepCopyObject returns a copy of the list.
func (l *AuditEventList) DeepCopyObject() runtime.Object {
	out, meta := *l, &l.ListMeta
	meta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]AuditEvent, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*AuditEvent)
	}
	return &out
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
