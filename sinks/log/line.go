package log

import (
	"slices"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// kindAuditEvent is the kind that a line states, as the API server would.
const kindAuditEvent = "AuditEvent"

// defaultLogger is the value of the key logger where Options name none.
const defaultLogger = "audit"

var apiVersion = v1alpha1.GroupVersion.String()

// line is one event on its way into an encoder, with the room that encoding it
// takes. The parts of the event are views of it, so that nothing is copied.
type line struct {
	entry  zapcore.Entry
	fields [4]zapcore.Field

	meta   metaView
	spec   specView
	sorted mapView
	// encoded says that an encoder asked for the spec.
	encoded bool

	keys    []string
	scratch []byte
	// The room that keys and scratch start with.
	keyRoom  [8]string
	timeRoom [len(time.RFC3339) + 8]byte
}

var lines = sync.Pool{New: func() any { return new(line) }}

// newLine returns a line from the pool, for a caller that knows when the encoder
// is done with it.
func newLine(logger string, ae *v1alpha1.AuditEvent) *line {
	l, _ := lines.Get().(*line)
	l.set(logger, ae)
	return l
}

func (l *line) free() {
	// Nothing of the event stays in the pool.
	clear(l.keys[:cap(l.keys)])
	*l = line{keys: l.keys[:0], scratch: l.scratch[:0]}
	lines.Put(l)
}

func (l *line) set(logger string, ae *v1alpha1.AuditEvent) {
	l.entry = zapcore.Entry{
		Level:      levelOf(ae.Spec.Decision),
		Time:       auditing.EventTime(ae).UTC(),
		LoggerName: logger,
		Message:    string(ae.Spec.Kind),
	}
	if l.keys == nil {
		l.keys, l.scratch = l.keyRoom[:0], l.timeRoom[:0]
	}
	l.meta = metaView{line: l, of: &ae.ObjectMeta}
	l.spec = specView{line: l, of: &ae.Spec}
	l.fields = [4]zapcore.Field{
		{Key: "apiVersion", Type: zapcore.StringType, String: apiVersion},
		{Key: "kind", Type: zapcore.StringType, String: kindAuditEvent},
		{Key: "metadata", Type: zapcore.ObjectMarshalerType, Interface: &l.meta},
		{Key: "spec", Type: zapcore.ObjectMarshalerType, Interface: &l.spec},
	}
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

// addTime writes t as metav1.Time does. The encoder's own way with times is the
// caller's choice, and may be a float.
func (l *line) addTime(enc zapcore.ObjectEncoder, key string, t metav1.Time) {
	l.scratch = t.UTC().AppendFormat(l.scratch[:0], time.RFC3339)
	enc.AddByteString(key, l.scratch)
}

// addMap writes m in the order of its keys, and nothing when it is empty.
func (l *line) addMap(enc zapcore.ObjectEncoder, key string, m map[string]string) error {
	if len(m) == 0 {
		return nil
	}
	l.keys = l.keys[:0]
	for k := range m {
		l.keys = append(l.keys, k)
	}
	slices.Sort(l.keys)
	l.sorted = mapView{keys: l.keys, of: m}
	return enc.AddObject(key, &l.sorted)
}
