package loki

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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

	maxMetadata = 5 // pairs of an entry
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

// pair is one piece of structured metadata.
type pair struct{ name, value string }

func (p pair) size() int {
	return fieldSize(pairName, len(p.name)) + fieldSize(pairValue, len(p.value))
}

// metadata appends the metadata of e to pairs. The proof has no event, and none. Only
// the name of a run may be any text: the others are checked when an event is prepared.
func (e *entry) metadata(pairs []pair) []pair {
	if e.event == nil {
		return pairs
	}
	pairs = append(pairs,
		pair{metadataKind, string(e.event.Kind())},
		pair{metadataDecision, string(e.event.Decision())},
		pair{metadataEvent, e.event.Name()})
	if run := clean(e.event.Run()); run != "" {
		pairs = append(pairs, pair{metadataRun, run})
	}
	if e.at.late != "" {
		pairs = append(pairs, pair{metadataEventTime, e.event.Time().Format(time.RFC3339Nano)})
	}
	return pairs
}

// encodedSize returns how many bytes append appends.
func (e *entry) encodedSize() int {
	var stamp [24]byte
	var room [maxMetadata]pair
	size := fieldSize(entryTimestamp, len(appendTimestamp(stamp[:0], e.at.ns))) + fieldSize(entryLine, len(e.line))
	for _, p := range e.metadata(room[:0]) {
		size += fieldSize(entryMetadata, p.size())
	}
	return size
}

// append appends an EntryAdapter without its length.
func (e *entry) append(b []byte) []byte {
	var stamp [24]byte
	var room [maxMetadata]pair
	b = appendField(b, entryTimestamp, appendTimestamp(stamp[:0], e.at.ns))
	b = appendField(b, entryLine, e.line)
	for _, p := range e.metadata(room[:0]) {
		b = appendHead(b, entryMetadata, p.size())
		b = protowire.AppendTag(b, pairName, protowire.BytesType)
		b = protowire.AppendString(b, p.name)
		b = protowire.AppendTag(b, pairValue, protowire.BytesType)
		b = protowire.AppendString(b, p.value)
	}
	return b
}

// encodeRequest appends a PushRequest of one stream to b.
func encodeRequest(b []byte, labels string, entries []*entry) []byte {
	size := fieldSize(streamLabels, len(labels))
	for _, e := range entries {
		size += fieldSize(streamEntries, e.size)
	}
	b = appendHead(slices.Grow(b, fieldSize(requestStreams, size)), requestStreams, size)
	b = protowire.AppendTag(b, streamLabels, protowire.BytesType)
	b = protowire.AppendString(b, labels)
	for _, e := range entries {
		b = e.append(appendHead(b, streamEntries, e.size))
	}
	return b
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
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(value))
}

func appendField(b []byte, number protowire.Number, value []byte) []byte {
	return append(appendHead(b, number, len(value)), value...)
}

// appendHead begins a field with size bytes of value.
func appendHead(b []byte, number protowire.Number, size int) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendVarint(b, uint64(size))
}

// fieldSize returns what a field with size bytes of value takes.
func fieldSize(number protowire.Number, size int) int {
	return protowire.SizeTag(number) + protowire.SizeBytes(size)
}
