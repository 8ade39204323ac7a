package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/recordlog"
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

// BenchmarkWrite measures durable events a second, while the destination is away and while
// it takes everything at once. In turns with that it measures the disk without a spool: one
// writer that writes a record and calls fdatasync for each event.
func BenchmarkWrite(b *testing.B) {
	for _, next := range []string{"away", "taking"} {
		for _, writers := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("next=%s/writers=%d", next, writers), func(b *testing.B) {
				var to auditing.Sink = driver.New(taking{})
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

// taking takes every event and keeps nothing.
type taking struct {
	driver.Base
	batch int
	took  time.Duration // for a request
}

func (t taking) Info() driver.Info { return driver.Info{Name: "taking", Batch: t.batch} }

func (t taking) Store(context.Context, []*driver.Event) []error {
	if t.took > 0 {
		time.Sleep(t.took)
	}
	return nil
}

func benchWrite(b *testing.B, next auditing.Sink, writers int) {
	const turn = 100 * time.Millisecond
	reg := prometheus.NewRegistry()
	s, err := spool.New(b.TempDir(), next, spool.Options{MaxBytes: 1 << 40, Registerer: reg})
	if err != nil {
		b.Fatal(err)
	}
	defer abandon(s)
	left, disk, cpu := &atomic.Int64{}, newRaw(b), time.Duration(0)
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	for left.Load() > 0 {
		before := cpuTime(b)
		writeFor(b, s, writers, turn, left)
		b.StopTimer()
		cpu += cpuTime(b) - before
		disk.writeFor(b, turn)
		b.StartTimer()
	}
	b.StopTimer()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(disk.rate(), "raw/s")
	b.ReportMetric(rate/disk.rate(), "x-raw")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/event")
	fsyncs := histogram(b, reg, "paddock_audit_spool_fsync_duration_seconds")
	b.ReportMetric(float64(b.N)/float64(fsyncs.GetSampleCount()), "events/fsync")
	b.ReportMetric(1e6*fsyncs.GetSampleSum()/float64(fsyncs.GetSampleCount()), "µs/fsync")
}

// writeFor takes events off left for the given time.
func writeFor(b *testing.B, s auditing.Sink, writers int, turn time.Duration, left *atomic.Int64) {
	done := make(chan error, writers)
	end := time.Now().Add(turn)
	for range writers {
		go func() {
			ae := benchEvent()
			for time.Now().Before(end) && left.Add(-1) >= 0 {
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
}

// raw is a file that is synced after every record.
type raw struct {
	file   disk.File
	end    int64
	record []byte
	syncs  int
	took   time.Duration
}

func newRaw(b *testing.B) *raw {
	b.Helper()
	e, err := driver.Prepare(benchEvent(), "")
	if err != nil {
		b.Fatal(err)
	}
	f, err := disk.OS.OpenFile(filepath.Join(b.TempDir(), "raw"), os.O_RDWR|os.O_CREATE, disk.PrivateMode)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &raw{file: f, record: recordlog.AppendRecord(nil, 1, time.Now(), e.JSON())}
}

func (r *raw) writeFor(b *testing.B, turn time.Duration) {
	start := time.Now()
	for ; time.Since(start) < turn; r.syncs++ {
		n, err := r.file.WriteAt(r.record, r.end)
		if err := errors.Join(err, r.file.Sync()); err != nil {
			b.Fatal(err)
		}
		r.end += int64(n)
	}
	r.took += time.Since(start)
}

func (r *raw) rate() float64 { return float64(r.syncs) / r.took.Seconds() }

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
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
