package reading

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// judged returns the numbers of the lines that a query takes, and how many are foreign, the
// unfinished one among them.
func judged(t *testing.T, from io.Reader, q *Query) (lines []int, foreign int) {
	t.Helper()
	j := newJudge(q, "fuzz")
	c := &cutter{}
	n := 0
	judge := func(data []byte, unfinished bool) {
		found := j.lines(data, unfinished)
		if found.err != nil {
			t.Fatal(found.err)
		}
		for _, h := range found.hits {
			lines = append(lines, n+h.line)
		}
		if foreign += found.foreign; found.unfinished {
			foreign++
		}
		n += found.lines
	}
	for buf := make([]byte, 0, 16); ; {
		data, _, err := c.next(from, buf)
		judge(data, false)
		if errors.Is(err, io.EOF) {
			judge(c.rest, true)
			return lines, foreign
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzLines gives the reader of lines any bytes. Each line that is not empty is an event,
// foreign or unfinished, and a query takes exactly those of the events that match it, however
// the bytes come.
func FuzzLines(f *testing.F) {
	ae := &v1alpha1.AuditEvent{}
	ae.Name, ae.Namespace = "ae-1", "team-a"
	ae.Spec.Kind, ae.Spec.Decision, ae.Spec.Reason = "egress-block", "denied", "say \"number\" \u00e9\a"
	event := append(eventjson.Append(nil, ae), '\n')
	line := append([]byte(`{"level":"error","ts":"2026-04-25T12:00:00Z","logger":"audit","msg":"egress-block"`+typeInLine), event[len(typeInLine):]...)
	f.Add(slices.Concat(event, line, line))
	f.Add(slices.Concat(line, []byte("\r\n\r\n"), line[:len(line)-9], event))
	f.Add(bytes.ReplaceAll(line, []byte("number"), []byte(`n\u0075mber`)))
	f.Add([]byte("\n\x00\x00\n{}\n[]\n{\"kind\":\"AuditEvent\"}\nno event"))
	q := &Query{Grep: "number"}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, foreign := judged(t, bytes.NewReader(data), &Query{})
		var want, events []int
		n := 0
		for line := range bytes.Lines(data) {
			n++
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			foreign--
			if ae, err := newJudge(&Query{}, "").parse(bytes.Clone(line)); err == nil && ae != nil && line[0] == '{' {
				foreign++
				events = append(events, n)
				if takes, err := q.Takes(NewRecord(ae, "", "")); err == nil && takes {
					want = append(want, n)
				}
			}
		}
		if foreign != 0 || !slices.Equal(all, events) {
			t.Fatalf("events %v, want %v; %d foreign lines too many", all, events, foreign)
		}
		some, _ := judged(t, iotest.HalfReader(bytes.NewReader(data)), q)
		if !slices.Equal(some, want) {
			t.Fatalf("the query takes lines %v, want %v", some, want)
		}
	})
}
