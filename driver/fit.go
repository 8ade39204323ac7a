package driver

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/names"
	"github.com/paddock-dev/audit/internal/texts"
)

// maxDetailJSON bounds all of spec.detail, as bytes of JSON. With the bounds of
// the other fields the whole event then stays under 256 KiB, which is what Loki
// takes as a line.
const maxDetailJSON = 128 << 10

// detailOmitted is the key of the note about entries that fit removed from detail.
const detailOmitted = "audit.omitted"

// fit brings e within the bounds of the schema, and reports whether it was beyond them.
// It shortens long texts visibly and replaces what is not UTF-8. The result is the same
// each time.
func fit(e *eventjson.Event) (changed bool) {
	s := &e.Spec
	changed = eventjson.Bound(s)
	var notes map[string]string // values that their fields cannot hold, for detail
	note := func(key string, value int) {
		if notes == nil {
			notes = map[string]string{}
		}
		notes[key] = strconv.Itoa(value)
	}
	if extra := len(s.SampleDestinations) - v1alpha1.MaxSampleDestinations; extra > 0 {
		note("sampleDestinationsOmitted", extra)
		s.SampleDestinations = s.SampleDestinations[:v1alpha1.MaxSampleDestinations]
	}
	if d := s.Destination; d != nil && !portFits(d.Port) {
		note("port", int(d.Port))
		d.Port = 0
	}
	for i := range s.SampleDestinations {
		if d := &s.SampleDestinations[i]; !portFits(d.Port) {
			note(fmt.Sprintf("sampleDestinations[%d].port", i), int(d.Port))
			d.Port = 0
		}
	}
	if len(notes) > 0 || !detailFits(e.Detail) {
		e.SetDetail(fitDetail(e.Detail.Map(), notes))
		changed = true
	}
	return changed
}

func portFits(port int32) bool { return port >= 0 && port <= names.MaxPort }

func detailFits(detail eventjson.Pairs) bool {
	if len(detail) > v1alpha1.MaxDetailEntries {
		return false
	}
	size := 0
	for _, d := range detail {
		if !texts.Fits(d.Key, v1alpha1.MaxDetailKeyLength) || !texts.Fits(d.Value, v1alpha1.MaxDetailValueLength) {
			return false
		}
		size += entryJSON(d.Key, d.Value)
	}
	return size <= maxDetailJSON
}

// fitDetail returns notes and as many entries of detail as the schema allows, in the
// order of their keys. The entry audit.omitted says how many it removed.
func fitDetail(detail, notes map[string]string) map[string]string {
	fitted := make(map[string]string, min(len(detail)+len(notes), v1alpha1.MaxDetailEntries))
	size := 0
	for k, v := range notes {
		fitted[k] = v
		size += entryJSON(k, v)
	}
	room := v1alpha1.MaxDetailEntries - 1 // one for detailOmitted
	if len(detail)+len(notes) <= v1alpha1.MaxDetailEntries {
		room++
	}
	const reserve = 256 // bytes for the entry audit.omitted
	omitted := 0
	for _, k := range slices.Sorted(maps.Keys(detail)) {
		key := Shorten(k, v1alpha1.MaxDetailKeyLength)
		value := Shorten(detail[k], v1alpha1.MaxDetailValueLength)
		for i := 2; key == detailOmitted || has(fitted, key); i++ {
			key = Shorten(k, v1alpha1.MaxDetailKeyLength-4) + "#" + strconv.Itoa(i)
		}
		if len(fitted) >= room || size+entryJSON(key, value)+reserve > maxDetailJSON {
			omitted++
			continue
		}
		fitted[key] = value
		size += entryJSON(key, value)
	}
	if omitted > 0 {
		fitted[detailOmitted] = fmt.Sprintf("%d of %d entries left out: detail holds %d of them, %d bytes in all",
			omitted, len(detail), v1alpha1.MaxDetailEntries, maxDetailJSON)
	}
	return fitted
}

func has(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// entryJSON returns at least the number of bytes that an entry takes in JSON.
func entryJSON(k, v string) int { return jsonLen(k) + jsonLen(v) + len(`"":"",`) }

func jsonLen(s string) int {
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			n++
		case c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f:
			n += len(`\u0000`) - 1
		case c == 0xe2: // U+2028 and U+2029 start so, and are escaped
			n += len(`\u2028`) - 3
		}
	}
	return n
}

// Shorten returns s as valid UTF-8 of at most limit characters (code points,
// as the schema counts; at least 64). It replaces what it cuts by a mark with the
// length of the whole text in bytes and the start of its SHA-256, so that the cut is
// visible and the whole text can be recognised. Invalid UTF-8 becomes U+FFFD.
func Shorten(s string, limit int) string { return texts.Shorten(s, limit) }
