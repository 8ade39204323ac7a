package loki

import (
	"slices"

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

// pair is one piece of structured metadata.
type pair struct{ name, value string }

// appendEntry appends an EntryAdapter without its length. ns is the timestamp
// in nanoseconds since 1970; pairs with an empty value are left out.
func appendEntry(b []byte, ns int64, line []byte, metadata []pair) []byte {
	seconds, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	var at [24]byte
	stamp := appendNumber(at[:0], timestampSeconds, seconds)
	stamp = appendNumber(stamp, timestampNanos, nanos)
	b = appendField(b, entryTimestamp, stamp)
	b = appendField(b, entryLine, line)
	for _, p := range metadata {
		if p.value == "" {
			continue
		}
		size := fieldSize(pairName, len(p.name)) + fieldSize(pairValue, len(p.value))
		b = protowire.AppendTag(b, entryMetadata, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(size))
		b = protowire.AppendTag(b, pairName, protowire.BytesType)
		b = protowire.AppendString(b, p.name)
		b = protowire.AppendTag(b, pairValue, protowire.BytesType)
		b = protowire.AppendString(b, p.value)
	}
	return b
}

// encodeRequest writes a PushRequest of one stream over b, which it lets grow at
// most once.
func encodeRequest(b []byte, labels string, entries [][]byte) []byte {
	size := fieldSize(streamLabels, len(labels))
	for _, e := range entries {
		size += fieldSize(streamEntries, len(e))
	}
	b = slices.Grow(b[:0], fieldSize(requestStreams, size))
	b = protowire.AppendTag(b, requestStreams, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = protowire.AppendTag(b, streamLabels, protowire.BytesType)
	b = protowire.AppendString(b, labels)
	for _, e := range entries {
		b = appendField(b, streamEntries, e)
	}
	return b
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
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

// fieldSize returns what a field with size bytes of value takes.
func fieldSize(number protowire.Number, size int) int {
	return protowire.SizeTag(number) + protowire.SizeBytes(size)
}
