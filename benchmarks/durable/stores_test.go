package durable_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/tidwall/wal"
	"go.etcd.io/bbolt"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

// store writes the event's JSON under the next number. Those that take one append at a time, in the order of the
// numbers, are given a lock; nothing else is done for any of them, such as gathering batches.
func store(writers int, event bench.Event, put func(number uint64, value []byte) error) func(int) error {
	events := each(writers, event)
	var last atomic.Uint64
	return func(w int) error {
		value, err := json.Marshal(events[w])
		if err != nil {
			return err
		}
		return put(last.Add(1), value)
	}
}

func serial(writers int, event bench.Event, put func(number uint64, value []byte) error) func(int) error {
	var mu sync.Mutex
	var last uint64
	return store(writers, event, func(_ uint64, value []byte) error {
		mu.Lock()
		defer mu.Unlock()
		last++
		return put(last, value)
	})
}

func key(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

func openPebble(_ context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
	if err != nil {
		return bench.Writer{}, err
	}
	return bench.Writer{
		Write: store(writers, event, func(number uint64, value []byte) error { return db.Set(key(number), value, pebble.Sync) }),
		Close: db.Close,
	}, nil
}

// silent keeps what pebble tells of its start from the results.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	pebble.DefaultLogger.Fatalf(format, args...)
}

// openBbolt gathers concurrent writes into one transaction with Batch, which waits 1 ms for others.
func openBbolt(_ context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, nil)
	if err != nil {
		return bench.Writer{}, err
	}
	db.MaxBatchDelay = time.Millisecond
	bucket := []byte("events")
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	})
	return bench.Writer{
		Write: store(writers, event, func(number uint64, value []byte) error {
			return db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key(number), value) })
		}),
		Close: db.Close,
	}, err
}

func openRaftWAL(_ context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
	w, err := raftwal.Open(dir)
	if err != nil {
		return bench.Writer{}, err
	}
	return bench.Writer{
		Write: serial(writers, event, func(number uint64, value []byte) error {
			return w.StoreLog(&raft.Log{Index: number, Data: value})
		}),
		Close: w.Close,
	}, nil
}

func openTidwall(_ context.Context, dir string, writers int, event bench.Event) (bench.Writer, error) {
	w, err := wal.Open(filepath.Join(dir, "log"), nil)
	if err != nil {
		return bench.Writer{}, err
	}
	return bench.Writer{Write: serial(writers, event, w.Write), Close: w.Close}, nil
}
