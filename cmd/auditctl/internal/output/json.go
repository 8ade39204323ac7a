package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// ndjson is the writer of one JSON value a line.
type ndjson struct{ to io.Writer }

// Write implements Writer.
func (n ndjson) Write(r Row) error {
	_, err := io.WriteString(n.to, Harmless(string(r.JSON))+"\n")
	return err
}

// Close implements Writer.
func (n ndjson) Close() error { return nil }

// list is the writer of one JSON document with all values.
type list struct {
	to    io.Writer
	opts  Options
	begun bool
}

// Write implements Writer.
func (l *list) Write(r Row) error {
	before := ",\n"
	if !l.begun {
		before = l.head() + "[\n"
		l.begun = true
	}
	var b bytes.Buffer
	if err := json.Indent(&b, r.JSON, l.margin(), "  "); err != nil {
		return err
	}
	_, err := io.WriteString(l.to, before+l.margin()+visibleLines(b.String()))
	return err
}

// Close implements Writer.
func (l *list) Close() error {
	end := "\n" + strings.TrimPrefix(l.margin(), "  ") + "]"
	if !l.begun {
		end = l.head() + "[]"
	}
	if l.opts.ListKind != "" {
		end += "\n}"
	}
	_, err := io.WriteString(l.to, end+"\n")
	return err
}

// head is what stands before the values.
func (l *list) head() string {
	if l.opts.ListKind == "" {
		return ""
	}
	return fmt.Sprintf("{\n  \"apiVersion\": %q,\n  \"kind\": %q,\n  \"items\": ", l.opts.ListVersion, l.opts.ListKind)
}

// margin stands before each line of a value.
func (l *list) margin() string {
	if l.opts.ListKind == "" {
		return "  "
	}
	return "    "
}

// visibleLines escapes a text of several lines.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Harmless(line)
	}
	return strings.Join(lines, "\n")
}
