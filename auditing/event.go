package auditing

import (
	"maps"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
)

// EventInput is what NewEvent takes: every field of an event's spec, flat.
// Only Kind, Decision and, for most sinks, Namespace are needed.
type EventInput struct {
	// Kind is any DNS label of at most 63 characters.
	Kind     v1alpha1.AuditKind
	Decision v1alpha1.AuditDecision
	// RunName is "" when no run is concerned.
	RunName       string
	Namespace     string
	Reason        string
	MatchedPolicy string

	// Host and Port of the destination, where there is one.
	Host string
	Port int

	// CredentialName, Provider and Purpose name a credential. They never hold one.
	CredentialName string
	Provider       string
	Purpose        string

	// Count is the number of decisions that the event stands for; 0 for one.
	Count int32
	// SampleDestinations are some destinations of a summary: a sink stores the
	// first 3 and says how many there were beyond.
	SampleDestinations []v1alpha1.AuditDestination
	// WindowStart and WindowEnd bound a summary; zero for none.
	WindowStart time.Time
	WindowEnd   time.Time

	// Actor, Object, Request and Trace say who asked, for what and in which request. They
	// are copied. Where one is nil, the event gets what its context has: see With.
	Actor   *v1alpha1.AuditActor
	Object  *v1alpha1.AuditObject
	Request *v1alpha1.AuditRequest
	Trace   *v1alpha1.AuditTrace

	// Detail is stored as it is, up to 64 entries; it is copied.
	Detail map[string]string
	// OwnerRef, when not nil, becomes the event's only owner reference.
	OwnerRef *metav1.OwnerReference
	// When the decision was made; zero for now.
	When time.Time
}

// defaultPrefix begins the names of events whose builder has none of its own.
const defaultPrefix = "ae-"

// NewEvent builds an event of a kind that has no builder here. Nothing is
// implied: Write refuses an event without a kind and a decision.
func NewEvent(in EventInput) *v1alpha1.AuditEvent { return build(defaultPrefix, in) }

// build builds every event; prefix begins its name. detail holds keys and their
// values, which it adds to those of in, and leaves empty values out.
func build(prefix string, in EventInput, detail ...string) *v1alpha1.AuditEvent {
	e := &struct { // one allocation for the event and what its spec points to
		v1alpha1.AuditEvent

		run, policy            v1alpha1.LocalReference
		credential             v1alpha1.AuditCredential
		destination            v1alpha1.AuditDestination
		windowStart, windowEnd metav1.Time
	}{}
	ae, s := &e.AuditEvent, &e.Spec
	ae.GenerateName, ae.Namespace = prefix, in.Namespace
	ae.Labels = make(map[string]string, 4) // Write adds the component
	ae.Labels[v1alpha1.LabelDecision] = string(in.Decision)
	ae.Labels[v1alpha1.LabelKind] = string(in.Kind)
	if in.OwnerRef != nil {
		ae.OwnerReferences = make([]metav1.OwnerReference, 1)
		in.OwnerRef.DeepCopyInto(&ae.OwnerReferences[0])
	}
	s.Decision, s.Kind, s.Reason = in.Decision, in.Kind, in.Reason
	s.SampleDestinations = slices.Clone(in.SampleDestinations)
	s.Detail = maps.Clone(in.Detail)
	s.Actor, s.Object, s.Request, s.Trace = in.Actor.DeepCopy(), in.Object.DeepCopy(), in.Request.DeepCopy(), in.Trace.DeepCopy()
	if in.RunName != "" {
		e.run.Name = in.RunName
		s.RunRef = &e.run
		ae.Labels[v1alpha1.LabelRun] = RunLabel(in.RunName)
	}
	if in.MatchedPolicy != "" {
		e.policy.Name = in.MatchedPolicy
		s.MatchedPolicy = &e.policy
	}
	e.credential = v1alpha1.AuditCredential{Name: in.CredentialName, Provider: in.Provider, Purpose: in.Purpose}
	if e.credential != (v1alpha1.AuditCredential{}) {
		s.Credential = &e.credential
	}

	// What no schema allows goes into detail: a broken clock or a number out of range
	// must not cost the event.
	if !setTime(s, &s.Timestamp, "when", in.When) {
		s.Timestamp.Time = now()
	}
	if setTime(s, &e.windowStart, "windowStart", in.WindowStart) {
		s.WindowStart = &e.windowStart
	}
	if setTime(s, &e.windowEnd, "windowEnd", in.WindowEnd) {
		s.WindowEnd = &e.windowEnd
	}
	e.destination.Host = in.Host
	if in.Port >= 0 && in.Port <= names.MaxPort {
		e.destination.Port = int32(in.Port)
	} else {
		put(s, "port", strconv.Itoa(in.Port))
	}
	if e.destination != (v1alpha1.AuditDestination{}) {
		s.Destination = &e.destination
	}
	if in.Count >= 0 {
		s.Count = in.Count
	} else {
		put(s, "count", strconv.Itoa(int(in.Count)))
	}
	for i := 0; i < len(detail); i += 2 {
		put(s, detail[i], detail[i+1])
	}
	return ae
}

// setTime sets field and reports whether t is a time that JSON can hold.
func setTime(s *v1alpha1.AuditEventSpec, field *metav1.Time, key string, t time.Time) bool {
	switch {
	case t.IsZero():
		return false
	case !names.Representable(t):
		put(s, key, t.UTC().Format(time.RFC3339Nano))
		return false
	}
	field.Time = t.UTC()
	return true
}

// put adds an entry to detail, unless value is empty. An entry that the caller
// has put under the same key stays.
func put(s *v1alpha1.AuditEventSpec, key, value string) {
	if value == "" {
		return
	}
	if s.Detail == nil {
		s.Detail = make(map[string]string, 4)
	}
	free := key
	for i := 2; ; i++ {
		if _, taken := s.Detail[free]; !taken {
			break
		}
		free = key + "#" + strconv.Itoa(i)
	}
	s.Detail[free] = value
}

// number is the text of a number in detail, where a zero is a fact like any other.
func number[T int | int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }
