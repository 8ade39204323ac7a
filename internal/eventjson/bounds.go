package eventjson

import (
	"fmt"
	"iter"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/texts"
)

// Texts yields the texts of a spec, but for those of detail, each with the most
// characters that the schema allows. They may be changed.
func Texts(s *v1alpha1.AuditEventSpec) iter.Seq2[*string, int] {
	const names, facts = v1alpha1.MaxNameLength, v1alpha1.MaxFactLength
	return func(yield func(*string, int) bool) {
		if s.RunRef != nil && !yield(&s.RunRef.Name, names) {
			return
		}
		if s.MatchedPolicy != nil && !yield(&s.MatchedPolicy.Name, names) {
			return
		}
		if c := s.Credential; c != nil && !(yield(&c.Name, names) && yield(&c.Provider, names) && yield(&c.Purpose, names)) {
			return
		}
		if s.Destination != nil && !yield(&s.Destination.Host, names) {
			return
		}
		for i := range s.SampleDestinations {
			if !yield(&s.SampleDestinations[i].Host, names) {
				return
			}
		}
		if a := s.Actor; a != nil {
			if !(yield(&a.User, names) && yield(&a.ServiceAccount, names) && yield(&a.SourceAddress, facts) && yield(&a.UserAgent, names)) {
				return
			}
			for i := range a.Groups {
				if !yield(&a.Groups[i], facts) {
					return
				}
			}
		}
		if o := s.Object; o != nil && !(yield(&o.Group, facts) && yield(&o.Resource, facts) && yield(&o.Namespace, facts) &&
			yield(&o.Name, names) && yield(&o.UID, facts) && yield(&o.Subresource, facts)) {
			return
		}
		if r := s.Request; r != nil && !(yield(&r.ID, facts) && yield(&r.Verb, facts)) {
			return
		}
		if t := s.Trace; t != nil && !(yield(&t.TraceID, facts) && yield(&t.SpanID, facts)) {
			return
		}
		yield(&s.Reason, v1alpha1.MaxReasonLength)
	}
}

// Bound shortens the texts of s and the groups of its actor to the bounds of the
// schema. It changes nothing, and so writes nowhere, when they are within them.
func Bound(s *v1alpha1.AuditEventSpec) {
	if a := s.Actor; a != nil && len(a.Groups) > v1alpha1.MaxActorGroups {
		more := len(a.Groups) - (v1alpha1.MaxActorGroups - 1)
		a.Groups = append(a.Groups[:v1alpha1.MaxActorGroups-1:v1alpha1.MaxActorGroups-1], fmt.Sprintf("…[%d more groups]", more))
	}
	for text, limit := range Texts(s) {
		if !texts.Fits(*text, limit) {
			*text = texts.Shorten(*text, limit)
		}
	}
}
