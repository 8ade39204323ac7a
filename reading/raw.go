package reading

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/texts"
)

var (
	// eventStart begins an event as this project exports it.
	eventStart = `{"kind":"AuditEvent","apiVersion":"` + v1alpha1.GroupVersion.String() + `","metadata":`
	// typeInLine stands in a line of sinks/log in the place of the same keys of eventStart,
	// behind those of the log.
	typeInLine = `,"apiVersion":"` + v1alpha1.GroupVersion.String() + `","kind":"AuditEvent",`
)

// ownEvent returns where the event begins in a line that begins as this project writes it: at
// eventStart or at typeInLine. It returns -1 for another line.
func ownEvent(line []byte) int {
	if bytes.HasPrefix(line, []byte(eventStart)) {
		return 0
	}
	at := 0
	for _, key := range [...]string{`{"level":"`, `,"ts":"`, `,"logger":"`, `,"msg":"`} {
		if !bytes.HasPrefix(line[at:], []byte(key)) {
			return -1
		}
		at += len(key)
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 { // an escaped one is not followed by the next key
			return -1
		}
		at += n + 1
	}
	if !bytes.HasPrefix(line[at:], []byte(typeInLine)) {
		return -1
	}
	return at
}

// rawFilter rejects most of the lines that a Query does not take, before they are parsed. It
// rejects a line only when it begins as this project writes it, and has no escapes that this
// project would not write: then the texts of the filter stand in it as they are.
type rawFilter struct {
	// all are lists of which a line has at least one text each.
	all [][]*needle
	// since and until bound the second of spec.timestamp, until excluded; "" for no bound.
	since, until string
	// spec and timestamp stand before that second.
	spec, timestamp *needle
	tuned           sync.Once
}

func newRawFilter(q *Query) *rawFilter {
	f := &rawFilter{
		// A label named spec has a text, and no object. What stands before the timestamp in spec
		// has no such key.
		spec: &needle{text: []byte(`,"spec":{`)}, timestamp: &needle{text: []byte(`"timestamp":"`)},
	}
	field(f, `"decision":`, q.Decisions)
	field(f, `"kind":`, q.Kinds)
	field(f, `"namespace":`, q.Namespaces)
	field(f, `"`+v1alpha1.LabelComponent+`":`, q.Components)
	field(f, `"runRef":{"name":`, q.Runs)
	field(f, `"metadata":{"name":`, q.Names)
	if q.Grep != "" && standsInLines(q.Grep) {
		f.all = append(f.all, []*needle{{text: []byte(q.Grep)}})
	}
	f.since = second(q.Since)
	f.until = second(q.Until.Add(time.Second - 1))
	if q.Until.IsZero() {
		f.until = ""
	}
	return f
}

// field adds that one of the values follows the key. It adds nothing when a value may be
// written in another way, or be left out.
func field[T ~string](f *rawFilter, key string, values []T) {
	var list []*needle
	for _, value := range values {
		text, err := json.Marshal(string(value))
		if err != nil || value == "" || len(text) != len(value)+len(`""`) || !standsInLines(string(value)) {
			return
		}
		list = append(list, &needle{text: append([]byte(key), text...)})
	}
	if len(list) > 0 {
		f.all = append(f.all, list)
	}
}

// standsInLines reports that the JSON of an event that contains text has it in its line too.
func standsInLines(text string) bool {
	if strings.ContainsAny(text, "\\\ufffd") || !utf8.ValidString(text) {
		return false
	}
	// In a line of the log, the type of the event is written in another order.
	for i := range len(eventStart) - len(`","metadata":`) {
		if strings.Contains(text, `"`) && (strings.HasPrefix(text, eventStart[i:]) || strings.HasPrefix(eventStart[i:], text)) {
			return false
		}
	}
	return true
}

// second returns the second of t as spec.timestamp has it; "" when t is zero or out of reach.
func second(t time.Time) string {
	if t = t.UTC(); t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return ""
	}
	return t.Format(time.RFC3339)
}

// tune makes the filter fast for lines as those of a sample.
func (f *rawFilter) tune(sample []byte) {
	f.tuned.Do(func() {
		sample = sample[:min(len(sample), 4<<10)]
		for _, n := range slices.Concat(append(f.all, []*needle{f.spec, f.timestamp})...) {
			n.tune(sample)
		}
	})
}

// rejects reports that the query certainly does not take the event of a line.
func (f *rawFilter) rejects(line []byte) bool {
	return f.lacks(line) && ownEvent(line) >= 0 && ownEscapes(line)
}

func (f *rawFilter) lacks(line []byte) bool {
	for _, list := range f.all {
		if !slices.ContainsFunc(list, func(n *needle) bool { return n.index(line) >= 0 }) {
			return true
		}
	}
	return (f.since != "" || f.until != "") && !f.inTime(line)
}

// inTime reports that spec.timestamp may be between the bounds.
func (f *rawFilter) inTime(line []byte) bool {
	const length = len(`2026-03-01T10:00:00Z`)
	line = line[max(0, f.spec.index(line)):]
	at := f.timestamp.index(line)
	if at < 0 {
		return true
	}
	line = line[at+len(f.timestamp.text):]
	if len(line) <= length || line[length-1] != 'Z' || line[length] != '"' {
		return true
	}
	second := string(line[:length])
	return second >= f.since && (f.until == "" || second < f.until)
}

// ownEscapes reports that a line has no escape but those that this project writes. Others
// could hide a text.
func ownEscapes(line []byte) bool {
	for {
		i := bytes.IndexByte(line, '\\')
		if i < 0 {
			return true
		}
		if line = line[i+1:]; len(line) == 0 {
			return false
		}
		switch line[0] {
		case '"', '\\', 'b', 'f', 'n', 'r', 't':
			line = line[1:]
		case 'u':
			if len(line) < len("u0000") {
				return false
			}
			n, err := strconv.ParseUint(string(line[1:5]), 16, 16)
			if r := rune(n); err != nil || !unicode.IsControl(r) && r != '\u2028' && r != '\u2029' && !texts.Directional(r) {
				return false
			}
			line = line[5:]
		default:
			return false
		}
	}
}
