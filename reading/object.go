package reading

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// eventObject returns the event's JSON as CEL takes it, with exact times. It is made from the
// event itself, because that takes a fraction of the time of encoding and decoding it.
func eventObject(r *Record) map[string]any {
	return map[string]any{
		"kind": string(eventKind), "apiVersion": v1alpha1.GroupVersion.String(),
		"metadata": metadataObject(&r.Event.ObjectMeta), "spec": specObject(r),
	}
}

func metadataObject(m *metav1.ObjectMeta) map[string]any {
	o := textsObject("name", m.Name, "generateName", m.GenerateName, "namespace", m.Namespace)
	pairs(o, "labels", m.Labels)
	pairs(o, "annotations", m.Annotations)
	list(o, "ownerReferences", objects(m.OwnerReferences, ownerObject))
	list(o, "finalizers", m.Finalizers)
	return o
}

func ownerObject(owner *metav1.OwnerReference) map[string]any {
	o := map[string]any{"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID)}
	if owner.Controller != nil {
		o["controller"] = *owner.Controller
	}
	if owner.BlockOwnerDeletion != nil {
		o["blockOwnerDeletion"] = *owner.BlockOwnerDeletion
	}
	return o
}

func specObject(r *Record) map[string]any {
	s := &r.Event.Spec
	o := map[string]any{"decision": string(s.Decision), "kind": string(s.Kind), "timestamp": r.Time}
	reference(o, "runRef", s.RunRef)
	facts(o, s)
	if d := s.Destination; d != nil {
		o["destination"] = destinationObject(d)
	}
	if c := s.Credential; c != nil {
		o["credential"] = textsObject("name", c.Name, "provider", c.Provider, "purpose", c.Purpose)
	}
	reference(o, "matchedPolicy", s.MatchedPolicy)
	if s.Reason != "" {
		o["reason"] = s.Reason
	}
	if s.Count != 0 {
		o["count"] = int64(s.Count)
	}
	list(o, "sampleDestinations", objects(s.SampleDestinations, destinationObject))
	if s.WindowStart != nil {
		o["windowStart"] = s.WindowStart.Time
	}
	if s.WindowEnd != nil {
		o["windowEnd"] = s.WindowEnd.Time
	}
	pairs(o, "detail", s.Detail)
	return o
}

// facts adds what a spec says about the request behind the decision.
func facts(o map[string]any, s *v1alpha1.AuditEventSpec) {
	if a := s.Actor; a != nil {
		actor := textsObject("user", a.User, "serviceAccount", a.ServiceAccount, "sourceAddress", a.SourceAddress, "userAgent", a.UserAgent)
		list(actor, "groups", a.Groups)
		o["actor"] = actor
	}
	if of := s.Object; of != nil {
		o["object"] = textsObject("group", of.Group, "resource", of.Resource, "namespace", of.Namespace,
			"name", of.Name, "uid", of.UID, "subresource", of.Subresource)
	}
	if r := s.Request; r != nil {
		o["request"] = textsObject("id", r.ID, "verb", r.Verb)
	}
	if t := s.Trace; t != nil {
		o["trace"] = textsObject("traceID", t.TraceID, "spanID", t.SpanID)
	}
}

func destinationObject(d *v1alpha1.AuditDestination) map[string]any {
	o := textsObject("host", d.Host)
	if d.Port != 0 {
		o["port"] = int64(d.Port)
	}
	return o
}

// textsObject makes an object of keys and texts in turn. An empty text is left out.
func textsObject(keysAndTexts ...string) map[string]any {
	o := make(map[string]any, len(keysAndTexts)/2)
	for i := 0; i < len(keysAndTexts); i += 2 {
		if text := keysAndTexts[i+1]; text != "" {
			o[keysAndTexts[i]] = text
		}
	}
	return o
}

func objects[T any](all []T, of func(*T) map[string]any) (made []any) {
	for i := range all {
		made = append(made, of(&all[i]))
	}
	return made
}

func reference(o map[string]any, key string, r *v1alpha1.LocalReference) {
	if r != nil {
		o[key] = map[string]any{"name": r.Name}
	}
}

// list adds a list. An empty one is left out.
func list[T any](o map[string]any, key string, all []T) {
	if len(all) > 0 {
		o[key] = all
	}
}

// pairs adds an object of texts. An empty one is left out.
func pairs(o map[string]any, key string, all map[string]string) {
	if len(all) > 0 {
		o[key] = all
	}
}
