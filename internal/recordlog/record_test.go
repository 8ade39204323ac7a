package recordlog_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/recordlog"
)

// FuzzSegment walks through any bytes, and through them with a good record behind.
func FuzzSegment(f *testing.F) {
	record := recordlog.AppendRecord(nil, 5, time.Unix(1, 2), []byte(`{"metadata":{"name":"x","namespace":"default"}}`))
	f.Add(record)
	f.Add(append(record[:40:40], record...))
	f.Add(append(record, record[:20]...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		for s := range recordlog.Steps(content) {
			if s.Start < 0 || s.End <= s.Start || s.End > len(content) || len(s.Payload) > s.End-s.Start {
				t.Fatalf("a step from %d to %d of %d with a payload of %d", s.Start, s.End, len(content), len(s.Payload))
			}
		}
		// Whatever stands before it, a good record behind it is found.
		found := false
		for s := range recordlog.Steps(append(slices.Clone(content), record...)) {
			found = found || bytes.Equal(s.Payload, record[32:])
		}
		if !found {
			t.Fatal("the good record behind it is not found")
		}
	})
}
