package eventjson

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// Parse returns the event of data as encoding/json reads it, and keeps nothing
// of data. It reads what Append wrote without reflection, and leaves everything
// else to encoding/json, whose error it returns.
func Parse(data []byte) (*v1alpha1.AuditEvent, error) {
	both := &parsed{}
	if both.event.parse(data) {
		both.take()
	} else if err := json.Unmarshal(data, &both.object); err != nil {
		return nil, err
	}
	return &both.object, nil
}

// parsed is an event and the object that is made of it, in one allocation.
type parsed struct {
	event  Event
	object v1alpha1.AuditEvent
}

// take makes the object of the event. The event is not used any more, so the object takes over
// what it points to.
func (p *parsed) take() {
	e, ae := &p.event, &p.object
	ae.Kind, ae.APIVersion = kind, apiVersion
	ae.Name, ae.GenerateName, ae.Namespace = e.Name, e.GenerateName, e.Namespace
	ae.Labels, ae.Annotations = e.Labels.Map(), e.Annotations.Map()
	if e.Attached != nil {
		ae.OwnerReferences, ae.Finalizers = e.Attached.OwnerReferences, e.Attached.Finalizers
	}
	ae.Spec = e.Spec
	ae.Spec.Detail = e.Detail.Map()
}

// Decode makes e, which was never used before, the event of data, as Parse
// does. It keeps nothing of data. same reports that data is known to be what Append
// writes of e. It may be false where it is so too, as for a text with an escape.
func (e *Event) Decode(data []byte) (same bool, err error) {
	p := parser{rest: string(data)}
	if p.parse(e) {
		return !p.unsure, nil
	}
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal(data, ae); err != nil {
		return false, err
	}
	*e = Event{}
	e.Copy(ae)
	return false, nil
}

// parse reports whether data is in the form that Append writes. Otherwise e is not usable.
func (e *Event) parse(data []byte) bool {
	p := parser{rest: string(data)}
	return p.parse(e)
}

func (p *parser) parse(e *Event) bool {
	p.event(e)
	return !p.odd && p.rest == ""
}

// parser reads the fields in the order in which Append writes them. Each of its
// methods takes what it is named for off rest, if it stands there.
type parser struct {
	rest   string
	first  bool // no field of the object, or element of the array, was taken yet
	odd    bool // Append does not write this
	unsure bool // Append may write this in another way
}

func (p *parser) event(e *Event) {
	p.must(start)
	all := e.room[:0]
	all = p.metadata(e, all)
	p.must(`,"spec":`)
	p.spec(e, all)
	p.must("}")
}

func (p *parser) metadata(e *Event, all []Pair) []Pair {
	p.open("{")
	p.text(`"name":`, &e.Name)
	p.text(`"generateName":`, &e.GenerateName)
	p.text(`"namespace":`, &e.Namespace)
	e.Labels, all = p.pairs(`"labels":`, all)
	e.Annotations, all = p.pairs(`"annotations":`, all)
	var owners []metav1.OwnerReference
	if p.key(`"ownerReferences":`) {
		for p.open("["); p.another(); {
			owners = append(owners, p.owner())
		}
		p.end("]")
	}
	finalizers := p.list(`"finalizers":`)
	if owners != nil || finalizers != nil {
		e.Attached = &Attached{OwnerReferences: owners, Finalizers: finalizers}
		p.unsure = true
	}
	p.end("}")
	return all
}

func (p *parser) owner() (o metav1.OwnerReference) {
	uid := ""
	p.open("{")
	p.text(`"apiVersion":`, &o.APIVersion)
	p.text(`"kind":`, &o.Kind)
	p.text(`"name":`, &o.Name)
	p.text(`"uid":`, &uid)
	p.flag(`"controller":`, &o.Controller)
	p.flag(`"blockOwnerDeletion":`, &o.BlockOwnerDeletion)
	p.end("}")
	o.UID = types.UID(uid)
	return o
}

func (p *parser) spec(e *Event, all []Pair) {
	s := &e.Spec
	decision, of := "", ""
	p.open("{")
	if p.reference(`"runRef":`, &e.run) {
		s.RunRef = &e.run
	}
	p.text(`"decision":`, &decision)
	p.text(`"kind":`, &of)
	p.time(`"timestamp":`, &s.Timestamp)
	p.facts(e)
	if p.key(`"destination":`) {
		e.destination = p.destination()
		s.Destination = &e.destination
	}
	if p.key(`"credential":`) {
		p.open("{")
		p.text(`"name":`, &e.credential.Name)
		p.text(`"provider":`, &e.credential.Provider)
		p.text(`"purpose":`, &e.credential.Purpose)
		p.end("}")
		s.Credential = &e.credential
	}
	if p.reference(`"matchedPolicy":`, &e.policy) {
		s.MatchedPolicy = &e.policy
	}
	p.text(`"reason":`, &s.Reason)
	p.number(`"count":`, &s.Count)
	if p.key(`"sampleDestinations":`) {
		for p.open("["); p.another(); {
			s.SampleDestinations = append(s.SampleDestinations, p.destination())
		}
		p.end("]")
	}
	var at metav1.Time
	if p.time(`"windowStart":`, &at) {
		s.WindowStart = new(at)
	}
	if p.time(`"windowEnd":`, &at) {
		s.WindowEnd = new(at)
	}
	e.Detail, _ = p.pairs(`"detail":`, all)
	p.end("}")
	s.Decision, s.Kind = v1alpha1.AuditDecision(decision), v1alpha1.AuditKind(of)
	p.unsure = p.unsure || decision == "" || of == "" || s.Timestamp.IsZero()
}

func (p *parser) facts(e *Event) {
	s := &e.Spec
	if p.key(`"actor":`) {
		a := &v1alpha1.AuditActor{}
		p.open("{")
		p.text(`"user":`, &a.User)
		a.Groups = p.list(`"groups":`)
		p.text(`"serviceAccount":`, &a.ServiceAccount)
		p.text(`"sourceAddress":`, &a.SourceAddress)
		p.text(`"userAgent":`, &a.UserAgent)
		p.end("}")
		s.Actor = a
	}
	if p.key(`"object":`) {
		o := &v1alpha1.AuditObject{}
		p.open("{")
		p.text(`"group":`, &o.Group)
		p.text(`"resource":`, &o.Resource)
		p.text(`"namespace":`, &o.Namespace)
		p.text(`"name":`, &o.Name)
		p.text(`"uid":`, &o.UID)
		p.text(`"subresource":`, &o.Subresource)
		p.end("}")
		s.Object = o
	}
	if p.key(`"request":`) {
		r := &v1alpha1.AuditRequest{}
		p.open("{")
		p.text(`"id":`, &r.ID)
		p.text(`"verb":`, &r.Verb)
		p.end("}")
		s.Request = r
	}
	if p.key(`"trace":`) {
		t := &v1alpha1.AuditTrace{}
		p.open("{")
		p.text(`"traceID":`, &t.TraceID)
		p.text(`"spanID":`, &t.SpanID)
		p.end("}")
		s.Trace = t
	}
}

func (p *parser) reference(key string, r *v1alpha1.LocalReference) bool {
	if !p.key(key) {
		return false
	}
	p.open("{")
	p.text(`"name":`, &r.Name)
	p.end("}")
	p.unsure = p.unsure || r.Name == ""
	return true
}

func (p *parser) destination() (d v1alpha1.AuditDestination) {
	p.open("{")
	p.text(`"host":`, &d.Host)
	p.number(`"port":`, &d.Port)
	p.end("}")
	return d
}

func (p *parser) take(text string) bool {
	rest, ok := strings.CutPrefix(p.rest, text)
	p.rest = rest
	return ok
}

func (p *parser) must(text string) {
	if !p.take(text) {
		p.odd = true
	}
}

func (p *parser) open(bracket string) {
	p.must(bracket)
	p.first = true
}

func (p *parser) end(bracket string) {
	p.must(bracket)
	p.first = false
}

// key takes the key of a field, with the comma before it.
func (p *parser) key(key string) bool {
	rest := p.rest
	if !p.first {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return false
		}
	}
	rest, ok := strings.CutPrefix(rest, key)
	if ok {
		p.rest, p.first = rest, false
	}
	return ok
}

// another reports whether a further element of an array follows, and takes the
// comma before it. An empty array is odd.
func (p *parser) another() bool {
	more := !p.odd && (p.first || p.take(","))
	p.first = false
	return more
}

func (p *parser) text(key string, to *string) {
	if p.key(key) {
		*to = p.value()
		p.unsure = p.unsure || *to == ""
	}
}

// list is an array of strings; nil when there is none.
func (p *parser) list(key string) (texts []string) {
	if !p.key(key) {
		return nil
	}
	for p.open("["); p.another(); {
		texts = append(texts, p.value())
	}
	p.end("]")
	return texts
}

// value is a string.
func (p *parser) value() string {
	p.must(`"`)
	n := plainLength(p.rest)
	if n < len(p.rest) && p.rest[n] == '"' {
		text := p.rest[:n]
		p.rest = p.rest[n+1:]
		return text
	}
	p.unsure = true
	escaped := false
	for n < len(p.rest) && p.rest[n] != '"' {
		if p.rest[n] == '\\' {
			escaped = true
			n++
		}
		n++
	}
	if n >= len(p.rest) {
		p.odd = true
		return ""
	}
	text := p.rest[:n]
	p.rest = p.rest[n+1:]
	if escaped {
		p.odd = json.Unmarshal([]byte(`"`+text+`"`), &text) != nil || p.odd
	} else {
		p.odd = !utf8.ValidString(text) || strings.ContainsFunc(text, control) || p.odd
	}
	return text
}

func control(r rune) bool { return r < ' ' }

func (p *parser) number(key string, to *int32) {
	if !p.key(key) {
		return
	}
	n := 0
	for n < len(p.rest) && (p.rest[n] == '-' || p.rest[n] >= '0' && p.rest[n] <= '9') {
		n++
	}
	value, err := strconv.ParseInt(p.rest[:n], 10, 32)
	if err != nil || value == 0 || p.rest[0] == '0' || strings.HasPrefix(p.rest, "-0") {
		p.odd = true
	}
	*to, p.rest = int32(value), p.rest[n:]
}

func (p *parser) flag(key string, to **bool) {
	if !p.key(key) {
		return
	}
	value := p.take("true")
	if !value {
		p.must("false")
	}
	*to = &value
}

// time reads a time as metav1.Time does, in the local time zone. A null is odd.
func (p *parser) time(key string, to *metav1.Time) bool {
	if !p.key(key) {
		return false
	}
	text := p.value()
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.odd = true
	}
	p.unsure = p.unsure || len(text) != len("2006-01-02T15:04:05Z") || t.IsZero()
	to.Time = t.Local()
	return true
}

// pairs appends the entries of a map to all. It returns them, and all with them.
// Keys that do not ascend are odd.
func (p *parser) pairs(key string, all []Pair) (Pairs, []Pair) {
	if !p.key(key) {
		return nil, all
	}
	from := len(all)
	for p.open("{"); p.another(); {
		k := p.value()
		p.must(":")
		if last := len(all) - 1; last >= from && k <= all[last].Key {
			p.odd = true
		}
		all = append(all, Pair{k, p.value()})
	}
	p.end("}")
	return all[from:len(all):len(all)], all
}
