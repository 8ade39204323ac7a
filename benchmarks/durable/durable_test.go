// Package durable_test compares ways to have an event on the local disk, fsynced, when a write returns.
package durable_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/spool"
)

func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		for _, event := range bench.Events() {
			bench.Compare(b, fmt.Sprintf("writers=%d/event=%s/", writers, event.Name), writers, peers(event))
		}
	}
}

func peers(event bench.Event) []bench.Peer {
	peer := func(name string, open func(ctx context.Context, dir string, writers int, event bench.Event) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, writers int) bench.Writer {
			w, err := open(b.Context(), bench.Dir(b), writers, event)
			if err != nil {
				b.Fatal(err)
			}
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", openSpool(away{})), peer("ours-delivering", openSpool(auditing.NoopSink{})), peer("ours-log-fsync", openLog),
		peer("pebble", openPebble), peer("bbolt", openBbolt), peer("raft-wal", openRaftWAL), peer("tidwall-wal", openTidwall),
		peer("fdatasync", openRaw),
	}
}

// each makes one event for every writer.
func each(writers int, event bench.Event) []*v1alpha1.AuditEvent {
	events := make([]*v1alpha1.AuditEvent, writers)
	for i := range events {
		events[i] = event.New()
	}
	return events
}

// away is a destination that does not answer: what is spooled stays.
type away struct{}

func (away) Write(ctx context.Context, _ *v1alpha1.AuditEvent) error {
	<-ctx.Done()
	return ctx.Err()
}

func openSpool(next auditing.Sink) func(context.Context, string, int, bench.Event) (bench.Writer, error) {
	return func(ctx context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
		registry := prometheus.NewRegistry()
		s, err := spool.New(dir, next, spool.Options{Component: bench.Component, MaxBytes: 1 << 40, Registerer: registry})
		events := each(writers, event)
		return bench.Writer{
			Write: func(w int) error {
				bench.Renew(events[w])
				return s.Write(ctx, events[w])
			},
			Metrics: func(n int) map[string]float64 { return map[string]float64{"fsyncs/op": fsyncs(registry) / float64(n)} },
			Close: func() error {
				ended, end := context.WithCancel(ctx)
				end()
				_ = s.Close(ended) // says how much is left to a destination that is away
				return nil
			},
		}, err
	}
}

// fsyncs is how many the spool has counted.
func fsyncs(registry *prometheus.Registry) float64 {
	families, err := registry.Gather()
	if err != nil {
		panic(err) // a registry of one spool's own metrics
	}
	for _, family := range families {
		if family.GetName() == "paddock_audit_spool_fsync_duration_seconds" {
			return float64(family.GetMetric()[0].GetHistogram().GetSampleCount())
		}
	}
	panic("the spool has no metric of its fsyncs")
}

// openLog is a log file with Fsync: lines that wait share one.
func openLog(ctx context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
	sink, err := log.NewFile(filepath.Join(dir, "audit.log"),
		log.FileOptions{Options: log.Options{Component: bench.Component}, MaxSizeMB: 1 << 20, Fsync: true})
	events := each(writers, event)
	return bench.Writer{
		Write: func(w int) error {
			bench.Renew(events[w])
			return sink.Write(ctx, events[w])
		},
		Close: func() error { return sink.Close(ctx) },
	}, err
}

// recordHead is how many bytes the spool puts before an event's JSON.
const recordHead = 32

// openRaw is the limit of the disk for one writer: a record that was encoded before is written and synced, one after
// the other.
func openRaw(_ context.Context, dir string, _ int, event bench.Event) (bench.Writer, error) {
	ae, err := bench.Named(event)
	if err != nil {
		return bench.Writer{}, err
	}
	record, err := json.Marshal(ae)
	if err != nil {
		return bench.Writer{}, err
	}
	record = append(record, make([]byte, recordHead)...)
	f, err := os.Create(filepath.Join(dir, "raw"))
	turn := make(chan struct{}, 1)
	return bench.Writer{
		Write: func(int) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			if _, err := f.Write(record); err != nil {
				return err
			}
			return datasync(f)
		},
		Metrics: func(int) map[string]float64 { return map[string]float64{"fsyncs/op": 1} },
		Close:   f.Close,
	}, err
}
