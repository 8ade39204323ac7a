package spool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func benchEvent() *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindCredentialIssued, Decision: v1alpha1.AuditDecisionGranted,
		Namespace: "team-a", RunName: "run-7", Reason: "the policy allows it", MatchedPolicy: "allow-github",
		CredentialName: "github-token", Provider: "github", Purpose: "clone",
		Detail: map[string]string{"repository": "team-a/service", "scope": "contents:read"},
	})
	return ae
}

// BenchmarkRawWriteFdatasync is what a disk gives to one writer without a spool:
// one write of a record's size and one fdatasync an event.
func BenchmarkRawWriteFdatasync(b *testing.B) {
	record, err := json.Marshal(benchEvent())
	if err != nil {
		b.Fatal(err)
	}
	record = append(record, make([]byte, 32)...)
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := spool.Datasync(f); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(record)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWrite measures durable events a second, while the destination is
// away, and while it takes everything at once.
func BenchmarkWrite(b *testing.B) {
	for _, next := range []string{"away", "taking"} {
		for _, writers := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("next=%s/writers=%d", next, writers), func(b *testing.B) {
				var to auditing.Sink = taking{}
				if next == "away" {
					r := &sinktest.Recorder{}
					defer r.Hang()()
					to = r
				}
				benchWrite(b, to, writers)
			})
		}
	}
}

// taking takes every event and keeps none.
type taking struct{}

func (taking) Write(context.Context, *v1alpha1.AuditEvent) error { return nil }

func benchWrite(b *testing.B, next auditing.Sink, writers int) {
	reg := prometheus.NewRegistry()
	s, err := spool.New(b.TempDir(), next, spool.Options{MaxBytes: 1 << 40, Registerer: reg})
	if err != nil {
		b.Fatal(err)
	}
	defer abandon(s)
	left := atomic.Int64{}
	left.Store(int64(b.N))
	done := make(chan error, writers)
	b.ReportAllocs()
	b.ResetTimer()
	for range writers {
		go func() {
			ae := benchEvent()
			for left.Add(-1) >= 0 {
				ae.Name = "" // a new event
				if err := s.Write(b.Context(), ae); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	fsyncs := histogram(b, reg, "paddock_audit_spool_fsync_duration_seconds")
	b.ReportMetric(float64(b.N)/float64(fsyncs.GetSampleCount()), "events/fsync")
	b.ReportMetric(1e6*fsyncs.GetSampleSum()/float64(fsyncs.GetSampleCount()), "µs/fsync")
}

func histogram(tb testing.TB, reg prometheus.Gatherer, name string) *dto.Histogram {
	tb.Helper()
	families, err := reg.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	tb.Fatalf("no metric %s", name)
	return nil
}
