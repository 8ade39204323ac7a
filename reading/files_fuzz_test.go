package reading_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/reading"
)

// FuzzFiles gives Files any bytes. Each line that is not empty is an event, foreign or
// unfinished, and a query yields exactly those of the events that it takes.
func FuzzFiles(f *testing.F) {
	all := varied(f)
	lines := logged(f, all[:12]...)
	f.Add(lines)
	f.Add(bytes.ReplaceAll(lines, []byte("\n"), []byte("\r\n")))
	f.Add(exported(all[20:32]...))
	f.Add(append(lines[:len(lines)-50:len(lines)-50], "\n\x00\x00\n{}\n[]\n{\"kind\":\"AuditEvent\"}\n\n"...))
	q := reading.Query{Grep: "number"}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "audit.log")
		write(t, path, data)
		source := reading.Files("files", path)
		got := read(t, source, &reading.Query{})
		n, want := len(got.records), 0
		for _, foreign := range got.foreign {
			n += foreign.Count
		}
		for line := range bytes.Lines(data) {
			if len(bytes.TrimSpace(line)) > 0 {
				want++
			}
		}
		if got.err != nil || n != want {
			t.Fatalf("%d events and foreign lines of %d lines: %v, %v", n, want, got.foreign, got.err)
		}
		var taken []string
		for _, r := range got.records {
			takes, err := q.Takes(r)
			if err != nil {
				t.Fatal(err)
			}
			if takes {
				taken = append(taken, r.At)
			}
		}
		some := read(t, source, &q)
		var yielded []string
		for _, r := range some.records {
			yielded = append(yielded, r.At)
		}
		if some.err != nil || !slices.Equal(yielded, taken) {
			t.Fatalf("the query takes %v, and %v are yielded: %v", taken, yielded, some.err)
		}
		for _, foreign := range some.foreign { // fewer, as lines that are rejected are not parsed
			n -= foreign.Count
		}
		if n < len(got.records) {
			t.Fatalf("foreign lines appear: %v, and %v", got.foreign, some.foreign)
		}
	})
}
