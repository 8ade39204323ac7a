package loki

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of Loki's push.proto. A test decodes with Grafana's own code.
const (
	requestStreams = 1 // PushRequest

	streamLabels  = 1 // StreamAdapter
	streamEntries = 2

	entryTimestamp = 1 // EntryAdapter
	entryLine      = 2
	entryMetadata  = 3

	pairName  = 1 // LabelPairAdapter
	pairValue = 2

	timestampSeconds = 1 // google.protobuf.Timestamp
	timestampNanos   = 2
)

// The names of metadata: plain snake_case, which Loki leaves as they are. It
// answers 500 to a whole request with a name that it cannot normalise.
const (
	metadataKind      = "kind"
	metadataDecision  = "decision"
	metadataEvent     = "event"
	metadataRun       = "run"
	metadataEventTime = "event_time"
)

// labelsOf returns the labels of a stream in the form that Loki parses and stores:
// sorted, and quoted as Go quotes. Empty values are left out, for to Loki they are the
// same as none.
func (o Options) labelsOf(key streamKey) string {
	labels := map[string]string{
		labelServiceName: o.ServiceName, labelComponent: key.component, labelNamespace: key.namespace, labelLate: key.late,
	}
	maps.Copy(labels, o.Labels)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if value := clean(labels[name]); value != "" {
			pairs = append(pairs, name+"="+strconv.Quote(value))
		}
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// clean replaces what is not UTF-8, which protobuf does not carry, and U+FFFD
// itself, which Loki removes from metadata.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}

// entryExtra is at most what an entry takes in a request beside its line and the texts
// of the event: the time, the names of metadata, and what protobuf puts before each.
const entryExtra = 160

// setSize sets the size of e in a request, or slightly more.
func (e *entry) setSize() {
	e.size = len(e.line) + len(e.event.Kind()) + len(e.event.Name()) + len(e.event.Run()) + entryExtra
}

// buffer holds the parts of a request while it is encoded.
type buffer struct{ pair, entry, stream, raw, packed []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// requestBody returns a compressed PushRequest of one stream, and its size before that.
// It is not in the buffer: the HTTP client may go on reading it after it has answered.
func requestBody(labels string, entries []*entry) (body []byte, size int) {
	b := buffers.Get().(*buffer) //nolint:forcetypeassert // it holds nothing else
	defer buffers.Put(b)
	b.stream = appendField(b.stream[:0], streamLabels, labels)
	for _, e := range entries {
		b.encode(e)
		b.stream = appendField(b.stream, streamEntries, b.entry)
	}
	b.raw = appendField(b.raw[:0], requestStreams, b.stream)
	b.packed = s2.EncodeSnappy(b.packed[:cap(b.packed)], b.raw)
	return bytes.Clone(b.packed), len(b.raw)
}

// encode makes e the buffer's entry, an EntryAdapter. The proof has no event, and no
// metadata. Only the name of a run may be any text: the others are checked when an
// event is prepared.
func (b *buffer) encode(e *entry) {
	b.pair = appendTimestamp(b.pair[:0], e.at.ns)
	b.entry = appendField(b.entry[:0], entryTimestamp, b.pair)
	b.entry = appendField(b.entry, entryLine, e.line)
	if e.event == nil {
		return
	}
	b.addPair(metadataKind, string(e.event.Kind()))
	b.addPair(metadataDecision, string(e.event.Decision()))
	b.addPair(metadataEvent, e.event.Name())
	if run := clean(e.event.Run()); run != "" {
		b.addPair(metadataRun, run)
	}
	if e.at.late != "" {
		b.addPair(metadataEventTime, e.event.Time().Format(time.RFC3339Nano))
	}
}

// addPair adds structured metadata to the buffer's entry.
func (b *buffer) addPair(name, value string) {
	b.pair = appendField(appendField(b.pair[:0], pairName, name), pairValue, value)
	b.entry = appendField(b.entry, entryMetadata, b.pair)
}

// appendTimestamp appends ns, in nanoseconds since 1970, as a Timestamp.
func appendTimestamp(b []byte, ns int64) []byte {
	seconds, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	return appendNumber(appendNumber(b, timestampSeconds, seconds), timestampNanos, nanos)
}

// appendNumber leaves 0 out, as protobuf does.
func appendNumber(b []byte, number protowire.Number, value int64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(value))
}

// appendField appends a field of text or of a message.
func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(len(value))), value...)
}
