package log

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// The lines of NewFile, NewWriter, Stdout and Stderr are those of zap's JSON
// encoder, written without it. A test holds the two against each other.

// typeOfEvent is what a line says where eventjson begins its object: the same in
// another order, so that it can stand in its place.
var typeOfEvent = `,"apiVersion":"` + apiVersion + `","kind":"` + kindAuditEvent + `",`

// appendLine appends the line of ae, which Deliver has prepared: its kind is a DNS
// label, and the annotation holds its exact time in UTC.
func appendLine(to, logger []byte, ae *v1alpha1.AuditEvent) []byte {
	to = append(to, `{"level":"`...)
	to = append(to, levelOf(ae.Spec.Decision).String()...)
	to = append(to, `","ts":"`...)
	to = append(to, ae.Annotations[v1alpha1.AnnotationTimestamp]...)
	to = append(to, `","logger":`...)
	to = append(to, logger...)
	to = append(to, `,"msg":"`...)
	to = append(to, ae.Spec.Kind...)
	to = append(to, '"')
	event := len(to)
	to = eventjson.Append(to, ae)
	copy(to[event:], typeOfEvent)
	return append(to, '\n')
}

// quoted returns s as JSON.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string is always encoded
	return bytes.TrimSuffix(b.Bytes(), newline)
}

// text is room for a line.
type text struct{ bytes []byte }

// maxPooled keeps one long line from holding its room for ever.
const maxPooled = 64 << 10

var pool = sync.Pool{New: func() any { return &text{bytes: make([]byte, 0, 2<<10)} }}

func newText() *text {
	t, _ := pool.Get().(*text)
	return t
}

func (t *text) free() {
	if cap(t.bytes) <= maxPooled {
		t.bytes = t.bytes[:0]
		pool.Put(t)
	}
}
