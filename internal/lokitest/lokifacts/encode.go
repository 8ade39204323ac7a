package lokifacts

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
)

// encode returns a PushRequest of Loki's push.proto, compressed with snappy.
func encode(streams []stream) []byte {
	var request []byte
	for _, s := range streams {
		message := text(nil, 1, labelText(s.labels))
		for _, l := range s.lines {
			at := number(nil, 1, l.at.Unix())
			at = number(at, 2, int64(l.at.Nanosecond()))
			entry := text(text(nil, 1, string(at)), 2, l.text)
			for _, name := range slices.Sorted(maps.Keys(l.metadata)) {
				entry = text(entry, 3, string(text(text(nil, 1, name), 2, l.metadata[name])))
			}
			message = text(message, 2, string(entry))
		}
		request = text(request, 1, string(message))
	}
	return s2.EncodeSnappy(nil, request)
}

func text(b []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func number(b []byte, field protowire.Number, value int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(value))
}

// labelText formats labels in the form that they have in a push.
func labelText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+strconv.Quote(labels[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
