package loki

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// labelText writes the labels of streams in the form that Loki parses and stores:
// sorted, quoted as Go quotes.
type labelText struct {
	fixed map[string]string // service_name and the static ones
}

func newLabelText(o Options) labelText {
	fixed := make(map[string]string, len(o.Labels)+1)
	for name, value := range o.Labels {
		fixed[name] = clean(value)
	}
	fixed[labelServiceName] = clean(o.ServiceName)
	return labelText{fixed: fixed}
}

// of returns the labels of a stream. Empty values are left out, for to Loki they
// are the same as none.
func (l labelText) of(key streamKey) string {
	labels := maps.Clone(l.fixed)
	labels[labelComponent] = key.component
	labels[labelNamespace] = key.namespace
	labels[labelLate] = key.late
	b := make([]byte, 0, 128)
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, name...)
		b = append(b, '=')
		b = strconv.AppendQuote(b, labels[name])
	}
	return "{" + string(b) + "}"
}

// clean replaces what is not UTF-8, which protobuf does not carry, and U+FFFD
// itself, which Loki removes from metadata.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}
