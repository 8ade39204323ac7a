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

// line is one event on its way into an encoder of zap's. It holds a copy, in room
// that is used again, for a core may still be encoding when Write has returned to
// the event's owner. Texts are shared with the event: they cannot change.
type line struct {
	entry  zapcore.Entry
	fields [4]zapcore.Field

	meta metav1.ObjectMeta // without its maps
	spec v1alpha1.AuditEventSpec
	// The maps in the order of their keys.
	labels, annotations, detail pairs
	// encoded says that an encoder asked for the spec.
	encoded bool

	// What spec points to, and what the maps take.
	run, policy v1alpha1.LocalReference
	destination v1alpha1.AuditDestination
	credential  v1alpha1.AuditCredential
	start, end  metav1.Time
	pairs       pairs
	scratch     [len(time.RFC3339) + 8]byte
}

var lines = sync.Pool{New: func() any { return new(line) }}

// newLine returns a line from the pool. Who knows when the encoder is done with
// it frees it.
func newLine(logger string, ae *v1alpha1.AuditEvent) *line {
	l, _ := lines.Get().(*line)
	l.set(logger, ae)
	return l
}

func (l *line) free() {
	// Nothing of the event stays in the pool.
	clear(l.pairs[:cap(l.pairs)])
	*l = line{pairs: l.pairs[:0]}
	lines.Put(l)
}

func (l *line) set(logger string, ae *v1alpha1.AuditEvent) {
	l.entry = zapcore.Entry{
		Level:      levelOf(ae.Spec.Decision),
		Time:       auditing.EventTime(ae).UTC(),
		LoggerName: logger,
		Message:    string(ae.Spec.Kind),
	}
	l.fields = [4]zapcore.Field{
		{Key: "apiVersion", Type: zapcore.StringType, String: apiVersion},
		{Key: "kind", Type: zapcore.StringType, String: kindAuditEvent},
		{Key: "metadata", Type: zapcore.ObjectMarshalerType, Interface: (*metaView)(l)},
		{Key: "spec", Type: zapcore.ObjectMarshalerType, Interface: (*specView)(l)},
	}
	l.setMeta(&ae.ObjectMeta)
	l.setSpec(&ae.Spec)
	l.setMaps(ae)
}

func (l *line) setMeta(m *metav1.ObjectMeta) {
	l.meta.Name, l.meta.GenerateName, l.meta.Namespace = m.Name, m.GenerateName, m.Namespace
	l.meta.Finalizers = slices.Clone(m.Finalizers)
	for i := range m.OwnerReferences {
		l.meta.OwnerReferences = append(l.meta.OwnerReferences, *m.OwnerReferences[i].DeepCopy())
	}
}

func (l *line) setSpec(s *v1alpha1.AuditEventSpec) {
	l.spec = *s
	l.spec.RunRef = copied(&l.run, s.RunRef)
	l.spec.MatchedPolicy = copied(&l.policy, s.MatchedPolicy)
	l.spec.Destination = copied(&l.destination, s.Destination)
	l.spec.Credential = copied(&l.credential, s.Credential)
	l.spec.WindowStart = copied(&l.start, s.WindowStart)
	l.spec.WindowEnd = copied(&l.end, s.WindowEnd)
	l.spec.SampleDestinations = slices.Clone(s.SampleDestinations)
	l.spec.Detail = nil
}

// copied puts what from points to into room and returns that; nil for nil.
func copied[T any](room, from *T) *T {
	if from == nil {
		return nil
	}
	*room = *from
	return room
}

func (l *line) setMaps(ae *v1alpha1.AuditEvent) {
	all := l.pairs
	if all == nil {
		all = make(pairs, 0, 16)
	}
	all = all.add(ae.Labels)
	labels := len(all)
	all = all.add(ae.Annotations)
	annotations := len(all)
	all = all.add(ae.Spec.Detail)
	l.labels, l.annotations, l.detail, l.pairs = all[:labels], all[labels:annotations], all[annotations:], all
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
	enc.AddByteString(key, t.UTC().AppendFormat(l.scratch[:0], time.RFC3339))
}
