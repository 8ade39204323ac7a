// Package eventjson writes the JSON of an AuditEvent without reflection.
//
// The bytes are those of encoding/json without HTML escaping. Equal events give equal
// bytes.
package eventjson

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// The type of every event; its TypeMeta is not looked at.
const kind = "AuditEvent"

var (
	apiVersion = v1alpha1.GroupVersion.String()
	start      = `{"kind":"` + kind + `","apiVersion":"` + apiVersion + `","metadata":`
)

// writer appends to out. Every field ends with a comma; end turns the last one
// of an object into its brace.
type writer struct{ out []byte }

// Append appends the JSON of ae to dst, as Event.Append does.
func Append(dst []byte, ae *v1alpha1.AuditEvent) []byte { return ofObject(ae).Append(dst) }

// Append appends the JSON of e to dst, on one line and without a newline behind
// it. It allocates nothing when dst has room.
func (e *Event) Append(dst []byte) []byte {
	w := writer{append(dst, start...)}
	w.metadata(e)
	w.out = append(w.out, `"spec":`...)
	w.spec(&e.Spec, e.Detail)
	w.end('}')
	return w.out[:len(w.out)-1]
}

// AppendSpec appends the JSON of the event's spec alone.
func (e *Event) AppendSpec(dst []byte) []byte {
	w := writer{dst}
	w.spec(&e.Spec, e.Detail)
	return w.out[:len(w.out)-1]
}

func (w *writer) metadata(e *Event) {
	w.out = append(w.out, '{')
	w.text(`"name":`, e.Name)
	w.text(`"generateName":`, e.GenerateName)
	w.text(`"namespace":`, e.Namespace)
	w.pairs(`"labels":`, e.Labels)
	w.pairs(`"annotations":`, e.Annotations)
	if e.Attached != nil {
		w.attached(e.Attached)
	}
	w.end('}')
}

func (w *writer) attached(a *Attached) {
	if len(a.OwnerReferences) > 0 {
		w.out = append(w.out, `"ownerReferences":[`...)
		for i := range a.OwnerReferences {
			w.owner(&a.OwnerReferences[i])
		}
		w.end(']')
	}
	w.list(`"finalizers":`, a.Finalizers)
}

func (w *writer) owner(o *metav1.OwnerReference) {
	w.out = append(w.out, '{')
	w.must(`"apiVersion":`, o.APIVersion)
	w.must(`"kind":`, o.Kind)
	w.must(`"name":`, o.Name)
	w.must(`"uid":`, string(o.UID))
	w.flag(`"controller":`, o.Controller)
	w.flag(`"blockOwnerDeletion":`, o.BlockOwnerDeletion)
	w.end('}')
}

func (w *writer) spec(s *v1alpha1.AuditEventSpec, detail Pairs) {
	w.out = append(w.out, '{')
	w.reference(`"runRef":`, s.RunRef)
	w.must(`"decision":`, string(s.Decision))
	w.must(`"kind":`, string(s.Kind))
	w.time(`"timestamp":`, &s.Timestamp)
	if HasFacts(s) {
		w.facts(s)
	}
	if s.Destination != nil {
		w.out = append(w.out, `"destination":`...)
		w.destination(s.Destination)
	}
	if c := s.Credential; c != nil {
		w.out = append(w.out, `"credential":{`...)
		w.text(`"name":`, c.Name)
		w.text(`"provider":`, c.Provider)
		w.text(`"purpose":`, c.Purpose)
		w.end('}')
	}
	w.reference(`"matchedPolicy":`, s.MatchedPolicy)
	w.text(`"reason":`, s.Reason)
	w.number(`"count":`, s.Count)
	if len(s.SampleDestinations) > 0 {
		w.out = append(w.out, `"sampleDestinations":[`...)
		for i := range s.SampleDestinations {
			w.destination(&s.SampleDestinations[i])
		}
		w.end(']')
	}
	w.time(`"windowStart":`, s.WindowStart)
	w.time(`"windowEnd":`, s.WindowEnd)
	w.pairs(`"detail":`, detail)
	w.end('}')
}

func (w *writer) facts(s *v1alpha1.AuditEventSpec) {
	if a := s.Actor; a != nil {
		w.out = append(w.out, `"actor":{`...)
		w.text(`"user":`, a.User)
		w.list(`"groups":`, a.Groups)
		w.text(`"serviceAccount":`, a.ServiceAccount)
		w.text(`"sourceAddress":`, a.SourceAddress)
		w.text(`"userAgent":`, a.UserAgent)
		w.end('}')
	}
	if o := s.Object; o != nil {
		w.out = append(w.out, `"object":{`...)
		w.text(`"group":`, o.Group)
		w.text(`"resource":`, o.Resource)
		w.text(`"namespace":`, o.Namespace)
		w.text(`"name":`, o.Name)
		w.text(`"uid":`, o.UID)
		w.text(`"subresource":`, o.Subresource)
		w.end('}')
	}
	if r := s.Request; r != nil {
		w.out = append(w.out, `"request":{`...)
		w.text(`"id":`, r.ID)
		w.text(`"verb":`, r.Verb)
		w.end('}')
	}
	if t := s.Trace; t != nil {
		w.out = append(w.out, `"trace":{`...)
		w.text(`"traceID":`, t.TraceID)
		w.text(`"spanID":`, t.SpanID)
		w.end('}')
	}
}

func (w *writer) reference(key string, r *v1alpha1.LocalReference) {
	if r == nil {
		return
	}
	w.out = append(append(w.out, key...), '{')
	w.must(`"name":`, r.Name)
	w.end('}')
}

func (w *writer) destination(d *v1alpha1.AuditDestination) {
	w.out = append(w.out, '{')
	w.text(`"host":`, d.Host)
	w.number(`"port":`, d.Port)
	w.end('}')
}

// end closes an object or an array, and ends it as a field.
func (w *writer) end(bracket byte) {
	if last := len(w.out) - 1; w.out[last] == ',' {
		w.out = w.out[:last]
	}
	w.out = append(w.out, bracket, ',')
}

// text leaves an empty text out, which must writes.
func (w *writer) text(key, value string) {
	if value != "" {
		w.must(key, value)
	}
}

func (w *writer) must(key, value string) {
	w.out = append(AppendText(append(w.out, key...), value), ',')
}

// list writes texts, and nothing when there are none.
func (w *writer) list(key string, texts []string) {
	if len(texts) == 0 {
		return
	}
	w.out = append(append(w.out, key...), '[')
	for _, text := range texts {
		w.must("", text)
	}
	w.end(']')
}

func (w *writer) number(key string, n int32) {
	if n != 0 {
		w.out = append(strconv.AppendInt(append(w.out, key...), int64(n), 10), ',')
	}
}

func (w *writer) flag(key string, b *bool) {
	if b != nil {
		w.out = append(strconv.AppendBool(append(w.out, key...), *b), ',')
	}
}

// time writes t as metav1.Time does.
func (w *writer) time(key string, t *metav1.Time) {
	switch {
	case t == nil:
	case t.IsZero():
		w.out = append(append(w.out, key...), `null,`...)
	default:
		w.out = append(append(w.out, key...), '"')
		w.out = append(appendSecond(w.out, t.Time), `Z",`...)
	}
}

// pairs writes the entries of a map.
func (w *writer) pairs(key string, pairs Pairs) {
	if len(pairs) == 0 {
		return
	}
	w.out = append(append(w.out, key...), '{')
	for i := range pairs {
		w.out = append(AppendText(w.out, pairs[i].Key), ':')
		w.must("", pairs[i].Value)
	}
	w.end('}')
}
