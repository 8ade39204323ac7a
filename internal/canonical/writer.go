package canonical

import (
	"encoding/binary"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// writer appends to out.
type writer struct{ out []byte }

func (w *writer) spec(s *v1alpha1.AuditEventSpec, detail eventjson.Pairs) {
	w.reference(tagRunRef, s.RunRef)
	w.text(tagDecision, string(s.Decision))
	w.text(tagKind, string(s.Kind))
	w.exactTime(&s.Timestamp)
	if eventjson.HasFacts(s) {
		w.facts(s)
	}
	if s.Destination != nil {
		at := w.begin(tagDestination)
		w.destination(s.Destination)
		w.end(at)
	}
	if c := s.Credential; c != nil {
		at := w.begin(tagCredential)
		w.text(tagCredentialName, c.Name)
		w.text(tagCredentialProvider, c.Provider)
		w.text(tagCredentialPurpose, c.Purpose)
		w.end(at)
	}
	w.reference(tagMatchedPolicy, s.MatchedPolicy)
	w.text(tagReason, s.Reason)
	w.number(tagCount, s.Count)
	if len(s.SampleDestinations) > 0 {
		list := w.begin(tagSampleDestinations)
		for i := range s.SampleDestinations {
			at := w.beginElement()
			w.destination(&s.SampleDestinations[i])
			w.end(at)
		}
		w.end(list)
	}
	w.time(tagWindowStart, s.WindowStart)
	w.time(tagWindowEnd, s.WindowEnd)
	takes := anyKey
	if IsTrail(s.Kind) {
		takes = notNote
	}
	w.pairs(tagDetail, detail, takes)
}

func (w *writer) facts(s *v1alpha1.AuditEventSpec) {
	if a := s.Actor; a != nil {
		at := w.begin(tagActor)
		w.text(tagActorUser, a.User)
		w.list(tagActorGroups, a.Groups)
		w.text(tagActorServiceAccount, a.ServiceAccount)
		w.text(tagActorSourceAddress, a.SourceAddress)
		w.text(tagActorUserAgent, a.UserAgent)
		w.end(at)
	}
	if o := s.Object; o != nil {
		at := w.begin(tagObject)
		w.text(tagObjectGroup, o.Group)
		w.text(tagObjectResource, o.Resource)
		w.text(tagObjectNamespace, o.Namespace)
		w.text(tagObjectName, o.Name)
		w.text(tagObjectUID, o.UID)
		w.text(tagObjectSubresource, o.Subresource)
		w.end(at)
	}
	if r := s.Request; r != nil {
		at := w.begin(tagRequest)
		w.text(tagRequestID, r.ID)
		w.text(tagRequestVerb, r.Verb)
		w.end(at)
	}
	if t := s.Trace; t != nil {
		at := w.begin(tagTrace)
		w.text(tagTraceID, t.TraceID)
		w.text(tagSpanID, t.SpanID)
		w.end(at)
	}
}

func (w *writer) reference(tag byte, r *v1alpha1.LocalReference) {
	if r == nil {
		return
	}
	at := w.begin(tag)
	w.text(tagReferenceName, r.Name)
	w.end(at)
}

func (w *writer) destination(d *v1alpha1.AuditDestination) {
	w.text(tagDestinationHost, d.Host)
	w.number(tagDestinationPort, d.Port)
}

// begin begins a field whose length is not known yet. It returns where its bytes begin,
// for end.
func (w *writer) begin(tag byte) int {
	w.out = append(w.out, tag, 0)
	return len(w.out)
}

// beginElement begins an element of a list.
func (w *writer) beginElement() int {
	w.out = append(w.out, 0)
	return len(w.out)
}

// end writes the length of what begins at start. There is one byte for it; for a longer
// length, it moves the rest.
func (w *writer) end(start int) {
	n := len(w.out) - start
	if n < 0x80 {
		w.out[start-1] = byte(n)
		return
	}
	var room [binary.MaxVarintLen64]byte
	length := binary.AppendUvarint(room[:0], uint64(n))
	more := len(length) - 1
	w.out = append(w.out, length[:more]...)
	copy(w.out[start+more:], w.out[start:start+n])
	copy(w.out[start-1:], length)
}

func (w *writer) text(tag byte, s string) {
	if s != "" {
		w.out = append(w.out, tag)
		w.value(s)
	}
}

// value appends the length of s and s itself. Each byte that is not UTF-8 becomes U+FFFD,
// as in JSON.
func (w *writer) value(s string) {
	switch {
	case !valid(s):
		at := w.beginElement()
		for _, r := range s {
			w.out = utf8.AppendRune(w.out, r)
		}
		w.end(at)
	case len(s) < 0x80:
		w.out = append(append(w.out, byte(len(s))), s...)
	default:
		w.out = append(binary.AppendUvarint(w.out, uint64(len(s))), s...)
	}
}

// valid is utf8.ValidString. That takes half of the time of all else for texts as short as
// those of events, most of which are ASCII.
func valid(s string) bool { return ascii(s) || utf8.ValidString(s) }

// ascii may look at a byte twice, so that it has no loop over the last ones.
func ascii(s string) bool {
	const tops = 0x8080808080808080
	b := []byte(s) // which copies nothing: the compiler sees that b is only read
	n := len(b)
	if n < 8 {
		if n >= 4 {
			return (binary.LittleEndian.Uint32(b)|binary.LittleEndian.Uint32(b[n-4:]))&(tops>>32) == 0
		}
		return n == 0 || (b[0]|b[n/2]|b[n-1])&0x80 == 0
	}
	all := binary.LittleEndian.Uint64(b[n-8:])
	for ; len(b) > 8; b = b[8:] {
		all |= binary.LittleEndian.Uint64(b)
	}
	return all&tops == 0
}

func (w *writer) list(tag byte, texts []string) {
	if len(texts) == 0 {
		return
	}
	at := w.begin(tag)
	for _, text := range texts {
		w.value(text)
	}
	w.end(at)
}

// pairs appends the entries whose keys are taken, and nothing when there are none.
func (w *writer) pairs(tag byte, pairs eventjson.Pairs, takes func(key string) bool) {
	before := len(w.out)
	at := w.begin(tag)
	for i := range pairs {
		if takes(pairs[i].Key) {
			w.value(pairs[i].Key)
			w.value(pairs[i].Value)
		}
	}
	if len(w.out) == at {
		w.out = w.out[:before]
		return
	}
	w.end(at)
}

func (w *writer) number(tag byte, n int32) {
	if n != 0 {
		w.out = append(w.out, tag, 8)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(n)) //nolint:gosec // two's complement is meant
	}
}

// time appends whole seconds: JSON keeps no more.
func (w *writer) time(tag byte, t *metav1.Time) {
	if t != nil {
		w.out = append(w.out, tag, 8)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(t.Unix())) //nolint:gosec // two's complement is meant
	}
}

func (w *writer) exactTime(t *metav1.Time) {
	w.out = append(w.out, tagTimestamp, 12)
	w.out = binary.BigEndian.AppendUint64(w.out, uint64(t.Unix()))       //nolint:gosec // two's complement is meant
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(t.Nanosecond())) //nolint:gosec // below 1e9
}
