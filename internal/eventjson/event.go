package eventjson

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Pair is one entry of a map of texts.
type Pair struct{ Key, Value string }

// Pairs are the entries of a map in the order of their keys.
type Pairs []Pair

// Get returns the value of a key, and whether there is one.
func (p Pairs) Get(key string) (string, bool) {
	for i := range p { // they are few
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return "", false
}

// Map returns the pairs as a new map; nil when there are none.
func (p Pairs) Map() map[string]string {
	if len(p) == 0 {
		return nil
	}
	m := make(map[string]string, len(p))
	for _, pair := range p {
		m[pair.Key] = pair.Value
	}
	return m
}

// Event is an AuditEvent copied into one piece: what spec points to and the
// entries of the maps lie in the same allocation. It has the fields that are the same at
// every destination, and none that only an API server sets.
//
// Spec.Detail is nil: the entries are in Detail.
type Event struct {
	Name, GenerateName, Namespace string
	Labels, Annotations, Detail   Pairs
	Attached                      *Attached // nil for most
	Spec                          v1alpha1.AuditEventSpec

	// What Spec and the pairs point to.
	run, policy v1alpha1.LocalReference
	destination v1alpha1.AuditDestination
	credential  v1alpha1.AuditCredential
	// Room for the four labels and the annotation that every event has, and four
	// details. More take an allocation of their own.
	room [9]Pair
}

// rare is what Spec points to in some events only. It takes an allocation of its own.
type rare struct {
	windowStart, windowEnd metav1.Time
	actor                  v1alpha1.AuditActor
	object                 v1alpha1.AuditObject
	request                v1alpha1.AuditRequest
	trace                  v1alpha1.AuditTrace
}

// Attached has the metadata that only some events have.
type Attached struct {
	OwnerReferences []metav1.OwnerReference
	Finalizers      []string
}

// Owners returns the owner references, which nobody changes.
func (e *Event) Owners() []metav1.OwnerReference {
	if e.Attached == nil {
		return nil
	}
	return e.Attached.OwnerReferences
}

func copyAttached(owners []metav1.OwnerReference, finalizers []string) *Attached {
	if len(owners) == 0 && len(finalizers) == 0 {
		return nil
	}
	a := &Attached{Finalizers: slices.Clone(finalizers)}
	for i := range owners {
		a.OwnerReferences = append(a.OwnerReferences, *owners[i].DeepCopy())
	}
	return a
}

// Copy makes e a copy of ae that shares nothing with it but texts, which never
// change. e was never used before.
func (e *Event) Copy(ae *v1alpha1.AuditEvent) { e.CopyLabelled(ae, OwnLabels(ae)) }

// CopyLabelled is Copy for a caller that knows what OwnLabels returns.
func (e *Event) CopyLabelled(ae *v1alpha1.AuditEvent, own [4]Pair) {
	e.Name, e.GenerateName, e.Namespace = ae.Name, ae.GenerateName, ae.Namespace
	e.copySpec(&ae.Spec)
	e.Attached = copyAttached(ae.OwnerReferences, ae.Finalizers)
	all := e.room[:0]
	if n := len(ae.Labels) + len(ae.Annotations) + len(ae.Spec.Detail); n > len(e.room) {
		all = make([]Pair, 0, n)
	}
	e.Labels, all = sorted(all, ae.Labels, own[:])
	e.Annotations, all = sorted(all, ae.Annotations, []Pair{{v1alpha1.AnnotationTimestamp, ae.Annotations[v1alpha1.AnnotationTimestamp]}})
	e.Detail, _ = sorted(all, ae.Spec.Detail, nil)
}

// CopyOf makes e a copy of another event in which these fields may be changed, with the
// label of the run and the annotation of the owners. The copy shares the rest with the
// other event. e was never used before.
func (e *Event) CopyOf(other *Event, fields Fields) {
	e.Name, e.GenerateName, e.Namespace = other.Name, other.GenerateName, other.Namespace
	e.Spec, e.Attached = other.Spec, other.Attached
	s := &e.Spec
	if fields&ofDecision != 0 {
		s.RunRef = copied(&e.run, s.RunRef)
		s.MatchedPolicy = copied(&e.policy, s.MatchedPolicy)
		s.Destination = copied(&e.destination, s.Destination)
		s.Credential = copied(&e.credential, s.Credential)
		s.SampleDestinations = slices.Clone(s.SampleDestinations)
	}
	if fields&ofActor != 0 && s.Actor != nil {
		s.Actor = new(*s.Actor)
		s.Actor.Groups = slices.Clone(s.Actor.Groups)
	}
	if fields&ofRequest != 0 && HasFacts(s) {
		r := &rare{}
		s.Object = copied(&r.object, s.Object)
		s.Request = copied(&r.request, s.Request)
		s.Trace = copied(&r.trace, s.Trace)
	}
	room := e.room[:]
	e.Labels, room = other.Labels.copied(fields&ofLabels != 0, room)
	e.Annotations, room = other.Annotations.copied(fields&ofAnnotations != 0, room)
	e.Detail, _ = other.Detail.copied(fields&ofDetail != 0, room)
}

// Annotate adds an annotation, or gives it another value, and returns where the value is. e
// must be of CopyOf with no fields, whose pairs are all shared.
func (e *Event) Annotate(key, value string) *string {
	at, found := slices.BinarySearchFunc(e.Annotations, key, func(p Pair, key string) int { return cmp.Compare(p.Key, key) })
	rest := e.Annotations[at:]
	if found {
		rest = rest[1:]
	}
	pairs := append(Pairs(e.room[:0]), e.Annotations[:at]...)
	pairs = append(pairs, Pair{key, value})
	pairs = append(pairs, rest...)
	e.Annotations = pairs
	return &e.Annotations[at].Value
}

// copied returns the pairs, or a copy of them in room, which may be too small, and the
// rest of it.
func (p Pairs) copied(really bool, room []Pair) (Pairs, []Pair) {
	if !really || len(p) == 0 {
		return p, room
	}
	if len(p) > len(room) {
		return slices.Clone(p), room
	}
	n := copy(room, p)
	return room[:n:n], room[n:]
}

func (e *Event) copySpec(s *v1alpha1.AuditEventSpec) {
	e.Spec = *s
	e.Spec.RunRef = copied(&e.run, s.RunRef)
	e.Spec.MatchedPolicy = copied(&e.policy, s.MatchedPolicy)
	e.Spec.Destination = copied(&e.destination, s.Destination)
	e.Spec.Credential = copied(&e.credential, s.Credential)
	if s.WindowStart != nil || s.WindowEnd != nil || HasFacts(s) {
		e.copyRare(s)
	}
	e.Spec.SampleDestinations = slices.Clone(s.SampleDestinations)
	e.Spec.Detail = nil
}

func (e *Event) copyRare(s *v1alpha1.AuditEventSpec) {
	r := &rare{}
	e.Spec.WindowStart = copied(&r.windowStart, s.WindowStart)
	e.Spec.WindowEnd = copied(&r.windowEnd, s.WindowEnd)
	e.Spec.Object = copied(&r.object, s.Object)
	e.Spec.Request = copied(&r.request, s.Request)
	e.Spec.Trace = copied(&r.trace, s.Trace)
	e.Spec.Actor = copied(&r.actor, s.Actor)
	r.actor.Groups = slices.Clone(r.actor.Groups)
}

// SetFacts gives e what it lacks of what s says of the request behind the decision. They
// share it.
func (e *Event) SetFacts(s *v1alpha1.AuditEventSpec) {
	own := &e.Spec
	own.Actor = cmp.Or(own.Actor, s.Actor)
	own.Object = cmp.Or(own.Object, s.Object)
	own.Request = cmp.Or(own.Request, s.Request)
	own.Trace = cmp.Or(own.Trace, s.Trace)
}

// HasFacts reports that s says something of the request behind the decision.
func HasFacts(s *v1alpha1.AuditEventSpec) bool {
	return s.Actor != nil || s.Object != nil || s.Request != nil || s.Trace != nil
}

// copied puts what from points to into room and returns that; nil for nil.
func copied[T any](room, from *T) *T {
	if from == nil {
		return nil
	}
	*room = *from
	return room
}

// OwnLabels returns the labels that most events have and no others, in the order of their
// keys. The value of a label that ae does not have is empty. Asking for each takes half as long
// as ranging over the map and sorting.
func OwnLabels(ae *v1alpha1.AuditEvent) [4]Pair {
	own := [4]Pair{{Key: v1alpha1.LabelComponent}, {Key: v1alpha1.LabelDecision}, {Key: v1alpha1.LabelKind}, {Key: v1alpha1.LabelRun}}
	for i := range own {
		own[i].Value = ae.Labels[own[i].Key]
	}
	return own
}

// sorted appends the entries of m to all, which has room for them, in the order of
// their keys. It returns the entries, and all with them. usual are entries of m in order;
// those without a value are none.
func sorted(all []Pair, m map[string]string, usual []Pair) (Pairs, []Pair) {
	if len(m) == 0 {
		return nil, all
	}
	start := len(all)
	for _, p := range usual {
		if p.Value != "" {
			all = append(all, p)
		}
	}
	if len(all)-start < len(m) {
		all = all[:start]
		for k, v := range m {
			all = append(all, Pair{k, v})
		}
		slices.SortFunc(all[start:], func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	}
	return all[start:len(all):len(all)], all
}

// SetDetail makes the entries of m those of the event's detail.
func (e *Event) SetDetail(m map[string]string) {
	e.Detail, _ = sorted(make([]Pair, 0, len(m)), m, nil)
}

// CopyTo makes ae, which is empty, a copy of e that belongs to the caller.
func (e *Event) CopyTo(ae *v1alpha1.AuditEvent) {
	ae.Name, ae.GenerateName, ae.Namespace = e.Name, e.GenerateName, e.Namespace
	ae.Labels, ae.Annotations = e.Labels.Map(), e.Annotations.Map()
	if a := e.Attached; a != nil {
		a = copyAttached(a.OwnerReferences, a.Finalizers)
		ae.OwnerReferences, ae.Finalizers = a.OwnerReferences, a.Finalizers
	}
	e.Spec.DeepCopyInto(&ae.Spec)
	ae.Spec.Detail = e.Detail.Map()
}

func ofObject(ae *v1alpha1.AuditEvent) *Event {
	e := &Event{}
	e.Copy(ae)
	return e
}
