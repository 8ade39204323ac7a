package loki

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/sinks/loki/internal/lines"
)

// The field numbers of Loki's push.proto. A test decodes with Grafana's own code.
const (
	requestStreams                           = 1       // PushRequest
	streamLabels, streamEntries              = 1, 2    // StreamAdapter
	entryTimestamp, entryLine, entryMetadata = 1, 2, 3 // EntryAdapter
	pairName, pairValue                      = 1, 2    // LabelPairAdapter
)

// labelsOf returns the labels of a stream in the form that Loki parses and stores:
// sorted, and quoted as Go quotes. Empty values are left out, for to Loki they are the
// same as none.
func (o Options) labelsOf(key streamKey) string {
	labels := map[string]string{
		lokinames.ServiceName: o.ServiceName, lokinames.Component: key.component, lokinames.Namespace: key.namespace, lokinames.Late: key.late,
	}
	maps.Copy(labels, o.Labels)
	set := model.LabelSet{}
	for name, value := range labels {
		if value = lines.Clean(value); value != "" {
			set[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	return set.String()
}

// metadataFacts are the names of what factsOf returns.
var metadataFacts = [3]string{"user", "request_id", "trace_id"}

// entryExtra is at most what an entry takes in a request beside its line and the texts
// of the event: the time, the names of metadata, and what protobuf puts before each.
const entryExtra = 224

// size returns the most that e adds to a request, in bytes.
func (e *entry) size() int {
	if e.event == nil { // the proof
		return len(proofLine) + entryExtra
	}
	size := len(*e.line) + len(e.event.Kind()) + len(e.event.Name()) + len(e.event.Run()) + entryExtra
	for _, text := range factsOf(e.event.Spec()) {
		size += len(text)
	}
	return size
}

var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// newLine returns the line of e, of at most limit bytes. Whoever knows that nobody reads it any more
// puts it back into lineBuffers.
func newLine(e *driver.Event, limit int) *[]byte {
	line := lineBuffers.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	*line = e.AppendJSON((*line)[:0])
	if len(*line) > limit {
		*line = append((*line)[:0], lines.Of(e, limit)...)
	}
	return line
}

// buffer holds the parts of a request while it is encoded.
type buffer struct {
	time                             timestamppb.Timestamp
	pair, entry, stream, raw, packed []byte
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// requestBody returns a compressed PushRequest of one stream, and its size before that.
// It is not in the buffer: the HTTP client may go on reading it after it has answered.
func requestBody(labels string, entries []entry) (body []byte, size int) {
	b := buffers.Get().(*buffer) //nolint:forcetypeassert // it holds nothing else
	defer buffers.Put(b)
	for i := range entries {
		size += entries[i].size()
	}
	b.stream = appendField(slices.Grow(b.stream[:0], size+len(labels)+entryExtra), streamLabels, labels)
	for i := range entries {
		b.encode(&entries[i])
		b.stream = appendField(b.stream, streamEntries, b.entry)
	}
	b.raw = appendField(slices.Grow(b.raw[:0], len(b.stream)+entryExtra), requestStreams, b.stream)
	b.packed = s2.EncodeSnappy(b.packed[:cap(b.packed)], b.raw)
	return bytes.Clone(b.packed), len(b.raw)
}

// encode makes e the buffer's entry, an EntryAdapter. The proof has no event, and no
// metadata. Only the name of a run may be any text: the others are checked when an
// event is prepared.
func (b *buffer) encode(e *entry) {
	at := time.Unix(0, e.at.ns)
	b.time.Seconds, b.time.Nanos = at.Unix(), int32(at.Nanosecond())
	b.pair, _ = proto.MarshalOptions{}.MarshalAppend(b.pair[:0], &b.time) // two numbers cannot fail
	b.entry = appendField(b.entry[:0], entryTimestamp, b.pair)
	if e.event == nil {
		b.entry = appendField(b.entry, entryLine, proofLine)
		return
	}
	b.entry = appendField(b.entry, entryLine, *e.line)
	b.addPair(lokinames.Kind, string(e.event.Kind()))
	b.addPair(lokinames.Decision, string(e.event.Decision()))
	b.addPair(lokinames.Event, e.event.Name())
	b.addText(lokinames.Run, e.event.Run())
	for i, text := range factsOf(e.event.Spec()) {
		b.addText(metadataFacts[i], text)
	}
	if e.at.late != "" {
		b.addPair(lokinames.EventTime, e.event.Time().Format(time.RFC3339Nano))
	}
}

// factsOf returns what a reader looks for first of the request behind a decision, in
// the order of metadataFacts.
func factsOf(s *v1alpha1.AuditEventSpec) (texts [3]string) {
	if s.Actor != nil {
		texts[0] = s.Actor.User
	}
	if s.Request != nil {
		texts[1] = s.Request.ID
	}
	if s.Trace != nil {
		texts[2] = s.Trace.TraceID
	}
	return texts
}

// addText adds structured metadata that may be any text, and none when it is empty:
// Loki refuses a push for a name without a value.
func (b *buffer) addText(name, value string) {
	if value = lines.Clean(value); value != "" {
		b.addPair(name, value)
	}
}

// addPair adds structured metadata to the buffer's entry.
func (b *buffer) addPair(name, value string) {
	b.pair = appendField(appendField(b.pair[:0], pairName, name), pairValue, value)
	b.entry = appendField(b.entry, entryMetadata, b.pair)
}

// appendField appends a field of text or of a message.
func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(len(value))), value...)
}
