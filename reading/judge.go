package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// judge says of lines which of them are events that a query takes, and which are no events.
// It is safe for concurrent use.
type judge struct {
	query  *Query
	source string
	raw    *rawFilter
}

func newJudge(q *Query, source string) *judge {
	return &judge{query: q, source: source, raw: newRawFilter(q)}
}

// found is what stands in a stretch of lines.
type found struct {
	lines int
	hits  []hit
	// foreign counts the lines that are no events. first is the number of the first of them,
	// from 1, and cause what is wrong with it, if it looks like an event.
	foreign, first int
	cause          error
	seals          []string // in those lines
	// strict says that first is that of the first line with a cause, if there is one.
	strict bool
	// torn counts the lines that end within an event. firstTorn is the number of the first of them.
	torn, firstTorn int
	// unfinished says that the last line has no end, and is no event.
	unfinished bool
	err        error // of the query
}

// hit is an event that the query takes, and the number of its line.
type hit struct {
	line   int
	record *Record
}

// lines judges the lines of data. Each ends with a newline, except the last one when
// unfinished is true. It may change data.
func (j *judge) lines(data []byte, unfinished bool) (f found) {
	j.raw.tune(data)
	f.strict = j.query.Strict
	for len(data) > 0 && f.err == nil {
		line := data
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			line, data = data[:end], data[end+1:]
		} else {
			data = nil
		}
		f.lines++
		r, foreign, err := j.line(line)
		last := unfinished && data == nil
		torn := foreign && !last && j.query.Strict && eventjson.Torn(line)
		if foreign && !torn && j.query.Strict {
			f.seals = append(f.seals, SealsIn(line)...)
			if err == nil && bytes.Contains(line, []byte(ownPrefix)) {
				err = errDamaged
			}
		}
		switch {
		case foreign && last:
			f.unfinished = true
		case torn:
			if f.torn++; f.torn == 1 {
				f.firstTorn = f.lines
			}
		case foreign:
			f.note(f.lines, 1, err)
		case err != nil:
			f.err = err
		case r != nil:
			f.hits = append(f.hits, hit{f.lines, r})
		}
	}
	return f
}

// note counts n foreign lines, of which the first has the given number.
func (f *found) note(first, n int, cause error) {
	if f.foreign == 0 || f.strict && f.cause == nil && cause != nil {
		f.first, f.cause = first, cause
	}
	f.foreign += n
}

// line returns the event of a line, if the query takes it. Empty lines are neither events
// nor foreign: they are left where zeros were, behind a power loss. err says what is wrong
// with a foreign line that looks like an event; otherwise it is one of the query.
func (j *judge) line(line []byte) (r *Record, foreign bool, err error) {
	if len(line) > maxLine {
		return nil, true, errLong
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil, false, nil
	}
	if line[0] != '{' || line[len(line)-1] != '}' {
		return nil, true, nil
	}
	if j.raw.rejects(line) {
		return nil, false, nil
	}
	ae, err := j.parse(line)
	if ae == nil {
		return nil, true, err
	}
	r = NewRecord(ae, j.source, "")
	takes, err := j.query.Takes(r)
	if !takes {
		r = nil
	}
	return r, false, err
}

// ParseEvent parses the JSON of an event. What Query.Strict says holds where strict is true.
func ParseEvent(data []byte, strict bool) (*v1alpha1.AuditEvent, error) {
	if strict {
		return eventjson.ParseStrict(data)
	}
	return eventjson.Parse(data)
}

var errLogKeys = errors.New("what stands before the event is not JSON")

var errDamaged = errors.New("it is no event, and has what only events have")

// seals are looked for in what cannot be parsed, and so in the spelling that this project writes.
var sealInLine = regexp.MustCompile(`"` + regexp.QuoteMeta(v1alpha1.AnnotationSeal) + `":"([^"\\]{1,100})"`)

// SealsIn returns the annotations paddock.dev/seal that stand in a line that is no event.
func SealsIn(line []byte) (seals []string) {
	for _, found := range sealInLine.FindAllSubmatch(line, -1) {
		seals = append(seals, string(found[1]))
	}
	return seals
}

var eventKind = []byte("AuditEvent")

// parse returns the event of a line, which it may change; nil when there is none.
func (j *judge) parse(line []byte) (*v1alpha1.AuditEvent, error) {
	at := ownEvent(line)
	switch {
	case at > 0: // the keys before it are those of the log
		if j.query.Strict && !json.Valid(append(line[:at:at], '}')) {
			return nil, errLogKeys
		}
		line = line[at:]
		copy(line, eventStart[:len(typeInLine)])
	case at < 0 && !bytes.Contains(line, eventKind) && ownEscapes(line):
		return nil, nil // another program's line, which need not be parsed
	}
	ae, err := ParseEvent(line, j.query.Strict)
	if err != nil {
		if at > 0 {
			copy(line, typeInLine) // it may be looked at again
		}
		return nil, err
	}
	if ae.Kind != string(eventKind) || ae.APIVersion != v1alpha1.GroupVersion.String() {
		return nil, nil
	}
	return ae, nil
}
