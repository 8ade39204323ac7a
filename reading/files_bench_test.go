package reading_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/log"
)

// largeLog writes a log of n lines of about 660 bytes, of which one in 200 is denied.
func largeLog(t testing.TB, n int) (path string, size int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	sink, err := log.NewWriter(buffered, log.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	ae := event(t, 0)
	ae.Spec.Detail = map[string]string{"method": "CONNECT", "agent": `curl/8.5.0 "x"`}
	ae.Spec.MatchedPolicy = &v1alpha1.LocalReference{Name: "default-deny"}
	for i := range n {
		e := ae.DeepCopy()
		e.Name, e.Labels, e.Annotations, e.Spec.Decision = fmt.Sprintf("ae-%08d", i), nil, nil, v1alpha1.AuditDecisionGranted
		e.Spec.Timestamp.Time = noon.Add(time.Duration(i) * time.Millisecond)
		e.Spec.Destination.Port = int32(1 + i%9000)
		e.Spec.Reason = fmt.Sprintf("host host-%d.example.com is allowed by rule %d of the policy of its namespace", i%200, i%77)
		if i%200 == 7 {
			e.Spec.Decision = v1alpha1.AuditDecisionDenied
		}
		if err := sink.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := buffered.Flush(); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	return path, info.Size()
}

const benchLines = 200_000

// BenchmarkFiles reads a log for the queries of a person who looks for something. make
// bench-read has whole processes, beside grep and jq.
func BenchmarkFiles(b *testing.B) {
	path, size := largeLog(b, benchLines)
	files := reading.Files("files", path)
	for name, q := range map[string]reading.Query{
		"grep":           {Grep: "host-17.example.com"},
		"denied":         {Decisions: []v1alpha1.AuditDecision{"denied"}},
		"denied, where":  {Decisions: []v1alpha1.AuditDecision{"denied"}, Where: where(b, "event.spec.destination.port > 4500")},
		"last second":    {Since: noon.Add((benchLines - 1000) * time.Millisecond)},
		"where":          {Where: where(b, "event.spec.destination.port == 22")},
		"all":            {},
		"digits":         {Grep: "12345678"},
		"structure":      {Grep: `"port":4501}`},
		"another writer": {Kinds: []v1alpha1.AuditKind{"admission"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			n := 0
			for b.Loop() {
				n = 0
				for _, err := range files.Read(b.Context(), &q) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(n), "events")
		})
	}
}

// peak returns the most bytes of the heap that were seen while run ran.
func peak(run func()) uint64 {
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	run()
	close(done)
	<-ended
	return most.Load()
}

// BenchmarkFilesMemory reads 300 MB and takes all events.
func BenchmarkFilesMemory(b *testing.B) {
	path, size := largeLog(b, 450_000)
	b.SetBytes(size)
	runtime.GC()
	for b.Loop() {
		most := peak(func() {
			for _, err := range reading.Files("files", path).Read(b.Context(), &reading.Query{}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.ReportMetric(float64(most)/(1<<20), "MiB-peak")
	}
}
