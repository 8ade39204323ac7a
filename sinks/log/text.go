package log

import (
	"bytes"
	"encoding/json"
	"sync"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// The lines of NewFile, NewWriter, Stdout and Stderr are those of zap's JSON
// encoder, written without it. A test holds the two against each other.

// kindAuditEvent is the kind in every line, as in an object of the API server.
const kindAuditEvent = "AuditEvent"

var (
	apiVersion = v1alpha1.GroupVersion.String()
	// typeOfEvent replaces the beginning of an event's JSON in a line. It has the same
	// length: the same keys in another order.
	typeOfEvent = `,"apiVersion":"` + apiVersion + `","kind":"` + kindAuditEvent + `",`
)

// appendLine appends the line of e, whose kind is a DNS label, and whose annotation
// holds its exact time in UTC.
func appendLine(to, logger []byte, e *driver.Event) []byte {
	to = append(to, `{"level":"`...)
	to = append(to, levelOf(e.Decision()).String()...)
	to = append(to, `","ts":"`...)
	to = append(to, e.Annotation(v1alpha1.AnnotationTimestamp)...)
	to = append(to, `","logger":`...)
	to = append(to, logger...)
	to = append(to, `,"msg":"`...)
	to = append(to, e.Kind()...)
	to = append(to, '"')
	event := len(to)
	to = e.AppendJSON(to)
	copy(to[event:], typeOfEvent)
	return append(to, '\n')
}

func levelOf(d v1alpha1.AuditDecision) zapcore.Level {
	switch d {
	case v1alpha1.AuditDecisionDenied:
		return zapcore.ErrorLevel
	case v1alpha1.AuditDecisionWarned:
		return zapcore.WarnLevel
	case v1alpha1.AuditDecisionGranted:
	}
	return zapcore.InfoLevel
}

// quoted returns s as JSON.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string is always encoded
	return bytes.TrimSuffix(b.Bytes(), newline)
}

const (
	// maxChunk bounds the bytes that are written at once. A longer line is written
	// alone.
	maxChunk = 256 << 10
	// maxPooled keeps the buffer of one long line from staying in memory.
	maxPooled = 2 * maxChunk
)

// chunk holds lines that are written at once, and where each ends.
type chunk struct {
	to   *lineWriter
	text []byte
	ends []int

	// The outcome of a chunk in a group: how many lines are stored, and the error of the first
	// one that is not.
	stored int
	err    error
}

var chunks = sync.Pool{New: func() any { return &chunk{text: make([]byte, 0, 2<<10)} }}

// newChunk returns a chunk with the lines of as many of the first events as fit.
// lineOutput.write frees it.
func newChunk(to *lineWriter, logger []byte, events []*driver.Event) *chunk {
	c, _ := chunks.Get().(*chunk)
	c.to = to
	for _, e := range events {
		c.text = appendLine(c.text, logger, e)
		if len(c.text) > maxChunk && len(c.ends) > 0 {
			c.text = c.text[:c.ends[len(c.ends)-1]]
			break
		}
		c.ends = append(c.ends, len(c.text))
	}
	return c
}

// add appends the lines of other.
func (c *chunk) add(other *chunk) {
	for _, end := range other.ends {
		c.ends = append(c.ends, len(c.text)+end)
	}
	c.text = append(c.text, other.text...)
}

func (c *chunk) run() (stored int, err error) {
	defer c.free()
	return c.to.write(c.text, c.ends)
}

// outcome returns what became of a chunk that was in a group.
func (c *chunk) outcome() (stored int, err error) {
	defer c.free()
	return c.stored, c.err
}

func (c *chunk) free() {
	if cap(c.text) <= maxPooled {
		*c = chunk{text: c.text[:0], ends: c.ends[:0]}
		chunks.Put(c)
	}
}
