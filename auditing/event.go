package auditing

import (
	"maps"
	"slices"
	"strconv"
	"strings"
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
func NewEvent(in EventInput) *v1alpha1.AuditEvent {
	e := &struct {
		event
		credential  v1alpha1.AuditCredential
		destination v1alpha1.AuditDestination
		start, end  metav1.Time
	}{}
	e.begin(header{
		prefix: defaultPrefix, kind: in.Kind, decision: in.Decision,
		namespace: in.Namespace, run: in.RunName, when: in.When, detail: in.Detail,
	})
	e.Spec.Reason = in.Reason
	e.setPolicy(in.MatchedPolicy)
	e.setDestination(&e.destination, in.Host, in.Port)
	e.setCredential(&e.credential, in.CredentialName, in.Provider, in.Purpose)
	e.setCount(in.Count)
	e.Spec.SampleDestinations = slices.Clone(in.SampleDestinations)
	e.setWindow(&e.start, &e.end, in.WindowStart, in.WindowEnd)
	e.setOwner(in.OwnerRef)
	return &e.AuditEvent
}

// event is an AuditEvent with room for what its spec points to, so that a
// builder makes both in one allocation. What only some events have, their
// builders add: above 512 bytes an allocation takes the collector longer than
// two below.
type event struct {
	v1alpha1.AuditEvent

	run, policy v1alpha1.LocalReference
}

// header is what every event has.
type header struct {
	prefix    string // of the name
	kind      v1alpha1.AuditKind
	decision  v1alpha1.AuditDecision
	namespace string
	run       string
	when      time.Time
	detail    map[string]string // the caller's own entries
}

func newEvent(h header) *event {
	e := &event{}
	e.begin(h)
	return e
}

// begin fills in what every event has.
func (e *event) begin(h header) {
	e.Namespace = h.namespace
	e.GenerateName = h.prefix
	e.Spec.Decision = h.decision
	e.Spec.Kind = h.kind
	e.Spec.Detail = maps.Clone(h.detail)
	if h.run != "" {
		e.run.Name = h.run
		e.Spec.RunRef = &e.run
	}
	// One more than are set here: Write adds the component.
	e.Labels = make(map[string]string, 4)
	e.Labels[v1alpha1.LabelDecision] = string(h.decision)
	e.Labels[v1alpha1.LabelKind] = string(h.kind)
	if h.run != "" {
		e.Labels[v1alpha1.LabelRun] = RunLabel(h.run)
	}
	if !e.setTime(&e.Spec.Timestamp, "when", h.when) {
		e.Spec.Timestamp.Time = now()
	}
}

// setTime sets field and reports whether t is a time that JSON can hold. One
// that is not goes into detail: a broken clock must not cost the event.
func (e *event) setTime(field *metav1.Time, key string, t time.Time) bool {
	switch {
	case t.IsZero():
		return false
	case !names.Representable(t):
		e.put(key, t.UTC().Format(time.RFC3339Nano))
		return false
	}
	field.Time = t.UTC()
	return true
}

// setWindow takes the room for the times, as setCredential and setDestination do
// for theirs.
func (e *event) setWindow(first, last *metav1.Time, start, end time.Time) {
	if e.setTime(first, "windowStart", start) {
		e.Spec.WindowStart = first
	}
	if e.setTime(last, "windowEnd", end) {
		e.Spec.WindowEnd = last
	}
}

func (e *event) setPolicy(name string) {
	if name != "" {
		e.policy.Name = name
		e.Spec.MatchedPolicy = &e.policy
	}
}

func (e *event) setCredential(room *v1alpha1.AuditCredential, name, provider, purpose string) {
	if name != "" || provider != "" || purpose != "" {
		*room = v1alpha1.AuditCredential{Name: name, Provider: provider, Purpose: purpose}
		e.Spec.Credential = room
	}
}

// setDestination keeps a port that is none in detail, where it harms nothing.
func (e *event) setDestination(room *v1alpha1.AuditDestination, host string, port int) {
	room.Host = host
	if port >= 0 && port <= names.MaxPort {
		room.Port = int32(port)
	} else {
		e.put("port", strconv.Itoa(port))
	}
	if *room != (v1alpha1.AuditDestination{}) {
		e.Spec.Destination = room
	}
}

// setCount keeps a count that no schema allows in detail.
func (e *event) setCount(count int32) {
	if count >= 0 {
		e.Spec.Count = count
	} else {
		e.put("count", strconv.Itoa(int(count)))
	}
}

// setOwner copies ref with what it points to, in one allocation.
func (e *event) setOwner(ref *metav1.OwnerReference) {
	if ref == nil {
		return
	}
	owner := &struct {
		refs              [1]metav1.OwnerReference
		controller, block bool
	}{refs: [1]metav1.OwnerReference{*ref}}
	if ref.Controller != nil {
		owner.controller = *ref.Controller
		owner.refs[0].Controller = &owner.controller
	}
	if ref.BlockOwnerDeletion != nil {
		owner.block = *ref.BlockOwnerDeletion
		owner.refs[0].BlockOwnerDeletion = &owner.block
	}
	e.OwnerReferences = owner.refs[:]
}

// put adds an entry to detail, unless value is empty. An entry that the caller
// has put under the same key stays.
func (e *event) put(key, value string) {
	if value == "" {
		return
	}
	free := key
	for i := 2; ; i++ {
		if _, taken := e.Spec.Detail[free]; !taken {
			break
		}
		free = key + "#" + strconv.Itoa(i)
	}
	if e.Spec.Detail == nil {
		e.Spec.Detail = make(map[string]string, 4)
	}
	e.Spec.Detail[free] = value
}

type number struct {
	key   string
	value int64
}

// putNumbers adds entries whose texts share one allocation. A zero is a fact
// like any other number and is kept.
func (e *event) putNumbers(numbers ...number) {
	text := make([]byte, 0, 64)
	for _, n := range numbers {
		text = strconv.AppendInt(text, n.value, 10)
		text = append(text, ' ')
	}
	rest := string(text)
	for _, n := range numbers {
		var value string
		value, rest, _ = strings.Cut(rest, " ")
		e.put(n.key, value)
	}
}
