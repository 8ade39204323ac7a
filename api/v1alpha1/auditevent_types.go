package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The bounds of the schema, in Unicode code points for strings and in entries
// for lists and maps. They keep an event, its JSON escapes included, well under
// etcd's limit of 1.5 MiB a request and under Loki's of 256 KiB a line.
const (
	// MaxNameLength bounds each name in spec: a run, a host, a credential, a policy.
	MaxNameLength = 1024
	// MaxReasonLength bounds spec.reason.
	MaxReasonLength = 1024
	// MaxSampleDestinations bounds spec.sampleDestinations.
	MaxSampleDestinations = 3
	// MaxDetailEntries bounds spec.detail.
	MaxDetailEntries = 64
	// MaxDetailKeyLength bounds a key of spec.detail.
	MaxDetailKeyLength = 128
	// MaxDetailValueLength bounds a value of spec.detail.
	MaxDetailValueLength = 4096
	// MaxFactLength bounds each text in spec.actor, spec.object, spec.request and
	// spec.trace that MaxNameLength does not bound.
	MaxFactLength = 256
	// MaxActorGroups bounds spec.actor.groups.
	MaxActorGroups = 16
)

// AuditDestination is where traffic went, or would have gone.
type AuditDestination struct {
	// Host is a host name or an address.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Host string `json:"host,omitempty"`

	// Port is a TCP or UDP port; 0 stands for none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// AuditCredential names a credential. It never holds one.
type AuditCredential struct {
	// Name of the credential.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// Provider that issues it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Provider string `json:"provider,omitempty"`

	// Purpose it was asked for.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Purpose string `json:"purpose,omitempty"`
}

// LocalReference names an object in the event's namespace. The object may be
// gone, or may never have existed: an audit trail outlives what it speaks of.
type LocalReference struct {
	// Name of the object.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name"`
}

// AuditActor is who asked for what was decided upon, as far as the component knows.
// It may hold personal data.
type AuditActor struct {
	// User is the name that the actor was authenticated by.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	User string `json:"user,omitempty"`

	// Groups of the user. The last one says how many more there were, if there were.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	Groups []string `json:"groups,omitempty"`

	// ServiceAccount is the namespace/name of the account, when the user is one.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// SourceAddress is the IP address that the request came from. The API server tells
	// no webhook of it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	SourceAddress string `json:"sourceAddress,omitempty"`

	// UserAgent is what the client calls itself.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	UserAgent string `json:"userAgent,omitempty"`
}

// AuditObject is the Kubernetes object that the decision concerns.
type AuditObject struct {
	// Group of the API; "" is the core group.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Group string `json:"group,omitempty"`

	// Resource in the plural, as in "pods".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Resource string `json:"resource,omitempty"`

	// Namespace of the object, which need not be that of the event.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Namespace string `json:"namespace,omitempty"`

	// Name of the object; "" where the API server has yet to make one.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// UID of the object.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	UID string `json:"uid,omitempty"`

	// Subresource, as in "eviction".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Subresource string `json:"subresource,omitempty"`
}

// AuditRequest is the request that was decided upon.
type AuditRequest struct {
	// ID by which others know the request: AdmissionRequest.uid for one of the API
	// server.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ID string `json:"id,omitempty"`

	// Verb, as in "CREATE", "POST" or "reconcile".
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Verb string `json:"verb,omitempty"`
}

// AuditTrace is where the decision stands in a distributed trace (W3C Trace Context).
type AuditTrace struct {
	// TraceID, 32 hexadecimal digits.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	TraceID string `json:"traceID,omitempty"`

	// SpanID, 16 hexadecimal digits.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	SpanID string `json:"spanID,omitempty"`
}

// AuditEventSpec is what was decided. It cannot be changed after creation.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable: an audit event is written once"
type AuditEventSpec struct {
	// RunRef names the run that the decision concerns, in full.
	//
	// +optional
	RunRef *LocalReference `json:"runRef,omitempty"`

	// Decision is granted, denied or warned.
	Decision AuditDecision `json:"decision"`

	// Kind says what was decided upon: a known kind or any DNS label.
	Kind AuditKind `json:"kind"`

	// Timestamp is when the decision was made. JSON holds whole seconds; the
	// annotation paddock.dev/timestamp holds the rest.
	Timestamp metav1.Time `json:"timestamp"`

	// Actor asked for it.
	//
	// +optional
	Actor *AuditActor `json:"actor,omitempty"`

	// Object that the decision concerns.
	//
	// +optional
	Object *AuditObject `json:"object,omitempty"`

	// Request that was decided upon.
	//
	// +optional
	Request *AuditRequest `json:"request,omitempty"`

	// Trace that the decision is part of.
	//
	// +optional
	Trace *AuditTrace `json:"trace,omitempty"`

	// Destination of egress.
	//
	// +optional
	Destination *AuditDestination `json:"destination,omitempty"`

	// Credential that was asked for.
	//
	// +optional
	Credential *AuditCredential `json:"credential,omitempty"`

	// MatchedPolicy names the policy that decided.
	//
	// +optional
	MatchedPolicy *LocalReference `json:"matchedPolicy,omitempty"`

	// Reason is a sentence for a person.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// Count is the number of decisions that this event stands for; absent means one.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// SampleDestinations are some of the destinations of a summary.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	SampleDestinations []AuditDestination `json:"sampleDestinations,omitempty"`

	// WindowStart is when the first decision of a summary was made.
	//
	// +optional
	WindowStart *metav1.Time `json:"windowStart,omitempty"`

	// WindowEnd is when the last decision of a summary was made.
	//
	// +optional
	WindowEnd *metav1.Time `json:"windowEnd,omitempty"`

	// Detail holds what has no field of its own.
	//
	// The rule bounds keys and values, which no marker can do for a plain map of strings.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="detail: a key holds at most 128 characters, a value at most 4096"
	Detail map[string]string `json:"detail,omitempty"`
}

// AuditEvent is the record of one decision of one component.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=ae
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.spec.decision`
// +kubebuilder:printcolumn:name="Component",type=string,JSONPath=`.metadata.labels.paddock\.dev/component`
// +kubebuilder:printcolumn:name="Run",type=string,JSONPath=`.spec.runRef.name`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.destination.host`
// +kubebuilder:printcolumn:name="When",type=date,JSONPath=`.spec.timestamp`
// +kubebuilder:printcolumn:name="Credential",type=string,priority=1,JSONPath=`.spec.credential.name`
// +kubebuilder:printcolumn:name="Policy",type=string,priority=1,JSONPath=`.spec.matchedPolicy.name`
// +kubebuilder:printcolumn:name="User",type=string,priority=1,JSONPath=`.spec.actor.user`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.spec.reason`
// +kubebuilder:selectablefield:JSONPath=`.spec.kind`
// +kubebuilder:selectablefield:JSONPath=`.spec.decision`
// +kubebuilder:selectablefield:JSONPath=`.spec.runRef.name`
type AuditEvent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AuditEventSpec `json:"spec"`
}

// AuditEventList is a list of AuditEvents.
//
// +kubebuilder:object:root=true
type AuditEventList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AuditEvent `json:"items"`
}
