package eventjson

import (
	"iter"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Field is a field of an event that holds text of the event's writer.
type Field uint8

// The fields that hold text. Those of the maps stand for all their keys, or for all
// their values.
const (
	FieldReason Field = iota
	FieldRun
	FieldPolicy
	FieldCredentialName
	FieldCredentialProvider
	FieldCredentialPurpose
	FieldDestinationHost
	FieldSampleHost
	FieldActorUser
	FieldActorGroup
	FieldActorServiceAccount
	FieldActorSourceAddress
	FieldActorUserAgent
	FieldObjectGroup
	FieldObjectResource
	FieldObjectNamespace
	FieldObjectName
	FieldObjectUID
	FieldObjectSubresource
	FieldRequestID
	FieldRequestVerb
	FieldTraceID
	FieldSpanID
	FieldOwnerName
	FieldOwnerUID
	FieldDetail
	FieldDetailKey
	FieldLabel
	FieldLabelKey
	FieldAnnotation
	FieldAnnotationKey

	// NumFields is how many there are.
	NumFields
)

const nameLimit, factLimit = v1alpha1.MaxNameLength, v1alpha1.MaxFactLength

var fields = [NumFields]struct {
	path  string
	limit int
}{
	FieldReason:              {"spec.reason", v1alpha1.MaxReasonLength},
	FieldRun:                 {"spec.runRef.name", nameLimit},
	FieldPolicy:              {"spec.matchedPolicy.name", nameLimit},
	FieldCredentialName:      {"spec.credential.name", nameLimit},
	FieldCredentialProvider:  {"spec.credential.provider", nameLimit},
	FieldCredentialPurpose:   {"spec.credential.purpose", nameLimit},
	FieldDestinationHost:     {"spec.destination.host", nameLimit},
	FieldSampleHost:          {"spec.sampleDestinations.host", nameLimit},
	FieldActorUser:           {"spec.actor.user", nameLimit},
	FieldActorGroup:          {"spec.actor.groups", factLimit},
	FieldActorServiceAccount: {"spec.actor.serviceAccount", nameLimit},
	FieldActorSourceAddress:  {"spec.actor.sourceAddress", factLimit},
	FieldActorUserAgent:      {"spec.actor.userAgent", nameLimit},
	FieldObjectGroup:         {"spec.object.group", factLimit},
	FieldObjectResource:      {"spec.object.resource", factLimit},
	FieldObjectNamespace:     {"spec.object.namespace", factLimit},
	FieldObjectName:          {"spec.object.name", nameLimit},
	FieldObjectUID:           {"spec.object.uid", factLimit},
	FieldObjectSubresource:   {"spec.object.subresource", factLimit},
	FieldRequestID:           {"spec.request.id", factLimit},
	FieldRequestVerb:         {"spec.request.verb", factLimit},
	FieldTraceID:             {"spec.trace.traceID", factLimit},
	FieldSpanID:              {"spec.trace.spanID", factLimit},
	FieldOwnerName:           {"metadata.ownerReferences.name", 0},
	FieldOwnerUID:            {"metadata.ownerReferences.uid", 0},
	FieldDetail:              {"spec.detail.*", v1alpha1.MaxDetailValueLength},
	FieldDetailKey:           {"spec.detailKeys", v1alpha1.MaxDetailKeyLength},
	FieldLabel:               {"metadata.labels.*", 0},
	FieldLabelKey:            {"metadata.labelKeys", 0},
	FieldAnnotation:          {"metadata.annotations.*", 0},
	FieldAnnotationKey:       {"metadata.annotationKeys", 0},
}

// Path returns the path of the field as kubectl writes it. That of the values of a map
// ends with an asterisk in place of the key. The keys of a map have a path of
// their own: "spec.detailKeys".
func (f Field) Path() string { return fields[f].path }

// Limit returns the most characters that the schema allows; 0 where it says nothing.
func (f Field) Limit() int { return fields[f].limit }

// Fields is a set of fields.
type Fields uint64

// AllFields are all of them.
const AllFields Fields = 1<<NumFields - 1

// With returns the set with a field.
func (s Fields) With(f Field) Fields { return s | 1<<f }

// Has reports whether a field is in the set.
func (s Fields) Has(f Field) bool { return s>>f&1 != 0 }

// The fields of a spec whose texts stand in what the spec points to.
var (
	ofDecision = fieldsFrom(FieldRun, FieldSampleHost)
	ofActor    = fieldsFrom(FieldActorUser, FieldActorUserAgent)
	ofRequest  = fieldsFrom(FieldObjectGroup, FieldSpanID)
)

// The fields that stand in the maps of an event, or that an entry follows.
var (
	ofLabels      = fieldsFrom(FieldLabel, FieldLabelKey).With(FieldRun)
	ofAnnotations = fieldsFrom(FieldAnnotation, FieldAnnotationKey).With(FieldOwnerName).With(FieldOwnerUID)
	ofDetail      = fieldsFrom(FieldDetail, FieldDetailKey)
)

// fieldsFrom returns the fields from the first to the last.
func fieldsFrom(first, last Field) (s Fields) {
	for f := first; f <= last; f++ {
		s = s.With(f)
	}
	return s
}

// Texts yields each text of a spec with its field. It leaves out the texts of detail. The
// caller may change the texts.
func Texts(s *v1alpha1.AuditEventSpec) iter.Seq2[*string, Field] {
	return func(yield func(*string, Field) bool) {
		_ = decided(s, yield) && (!HasFacts(s) || facts(s, yield))
	}
}

// decided yields the texts about the decision. It reports whether to go on.
func decided(s *v1alpha1.AuditEventSpec, yield func(*string, Field) bool) bool {
	if !yield(&s.Reason, FieldReason) {
		return false
	}
	if s.RunRef != nil && !yield(&s.RunRef.Name, FieldRun) {
		return false
	}
	if s.MatchedPolicy != nil && !yield(&s.MatchedPolicy.Name, FieldPolicy) {
		return false
	}
	if c := s.Credential; c != nil && !(yield(&c.Name, FieldCredentialName) &&
		yield(&c.Provider, FieldCredentialProvider) && yield(&c.Purpose, FieldCredentialPurpose)) {
		return false
	}
	if s.Destination != nil && !yield(&s.Destination.Host, FieldDestinationHost) {
		return false
	}
	for i := range s.SampleDestinations {
		if !yield(&s.SampleDestinations[i].Host, FieldSampleHost) {
			return false
		}
	}
	return true
}

// facts yields the texts about the request behind the decision.
func facts(s *v1alpha1.AuditEventSpec, yield func(*string, Field) bool) bool {
	if a := s.Actor; a != nil {
		if !(yield(&a.User, FieldActorUser) && yield(&a.ServiceAccount, FieldActorServiceAccount) &&
			yield(&a.SourceAddress, FieldActorSourceAddress) && yield(&a.UserAgent, FieldActorUserAgent)) {
			return false
		}
		for i := range a.Groups {
			if !yield(&a.Groups[i], FieldActorGroup) {
				return false
			}
		}
	}
	if o := s.Object; o != nil && !(yield(&o.Group, FieldObjectGroup) && yield(&o.Resource, FieldObjectResource) &&
		yield(&o.Namespace, FieldObjectNamespace) && yield(&o.Name, FieldObjectName) &&
		yield(&o.UID, FieldObjectUID) && yield(&o.Subresource, FieldObjectSubresource)) {
		return false
	}
	if r := s.Request; r != nil && !(yield(&r.ID, FieldRequestID) && yield(&r.Verb, FieldRequestVerb)) {
		return false
	}
	t := s.Trace
	return t == nil || yield(&t.TraceID, FieldTraceID) && yield(&t.SpanID, FieldSpanID)
}
