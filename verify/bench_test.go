package verify_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
)

// The aim is that verifying a file takes at most twice what decoding it takes.
func BenchmarkVerify(b *testing.B) {
	r := newRoot(b)
	s := newSealer(b, r, "broker")
	for range 20 {
		s.write(256)
		s.checkpoint(canonical.KindTrailCheckpoint)
	}
	s.close()
	text := bytes.Join(lines(s.stored), nil)
	perEvent := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(s.stored)), "ns/event")
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if got := fileReport(b, r, text); len(got.Findings) > 0 {
				b.Fatal(got.Findings)
			}
		}
		perEvent(b)
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			for line := range bytes.Lines(text) {
				if err := json.Unmarshal(line, &v1alpha1.AuditEvent{}); err != nil {
					b.Fatal(err)
				}
			}
		}
		perEvent(b)
	})
}
