package spool

import (
	"sync"
	"time"
)

// Fault makes the operations of a FaultyDisk fail.
type Fault struct {
	// On is asked before each operation ("create", "open", "rename", "remove",
	// "syncdir", "read", "write", "truncate", "sync"); an error makes it fail.
	On func(op, path string) error
	// Short is how many bytes a write that fails has written all the same; -1 for
	// one that reports no error and writes one byte less than asked for.
	Short int
}

// FaultyDisk is the real disk with faults.
type FaultyDisk struct {
	// Unsynced leaves every fsync out, for tests of thousands of lives.
	Unsynced bool

	mu    sync.Mutex
	fault Fault
}

func (d *FaultyDisk) Set(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

func (d *FaultyDisk) ask(op, path string) (Fault, error) {
	d.mu.Lock()
	f := d.fault
	d.mu.Unlock()
	if f.On == nil {
		return f, nil
	}
	err := f.On(op, path)
	return f, err
}

// On returns opts with this disk.
func (d *FaultyDisk) On(opts Options) Options {
	opts.disk = d
	return opts
}

func (d *FaultyDisk) wrap(path string, f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, disk: d, path: path}, nil
}

func (d *FaultyDisk) create(path string) (file, error) {
	if _, err := d.ask("create", path); err != nil {
		return nil, err
	}
	f, err := realDisk{}.create(path)
	return d.wrap(path, f, err)
}

func (d *FaultyDisk) open(path string, write bool) (file, error) {
	if _, err := d.ask("open", path); err != nil {
		return nil, err
	}
	f, err := realDisk{}.open(path, write)
	return d.wrap(path, f, err)
}

func (d *FaultyDisk) rename(from, to string) error {
	if _, err := d.ask("rename", from); err != nil {
		return err
	}
	return realDisk{}.rename(from, to)
}

func (d *FaultyDisk) remove(path string) error {
	if _, err := d.ask("remove", path); err != nil {
		return err
	}
	return realDisk{}.remove(path)
}

func (d *FaultyDisk) syncDir(path string) error {
	if _, err := d.ask("syncdir", path); err != nil {
		return err
	}
	if d.Unsynced {
		return nil
	}
	return realDisk{}.syncDir(path)
}

type faultyFile struct {
	file
	disk *FaultyDisk
	path string
}

func (f *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	if _, err := f.disk.ask("read", f.path); err != nil {
		return 0, err
	}
	return f.file.ReadAt(b, off)
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	fault, err := f.disk.ask("write", f.path)
	if err == nil {
		return f.file.WriteAt(b, off)
	}
	if fault.Short < 0 {
		return f.file.WriteAt(b[:len(b)-1], off)
	}
	n, writeErr := f.file.WriteAt(b[:min(fault.Short, len(b))], off)
	if writeErr != nil {
		return n, writeErr
	}
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.disk.ask("truncate", f.path); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) sync() error {
	if _, err := f.disk.ask("sync", f.path); err != nil {
		return err
	}
	if f.disk.Unsynced {
		return nil
	}
	return f.file.sync()
}

// OneRecord returns a segment with one record of payload.
func OneRecord(seq uint64, at time.Time, payload []byte) []byte {
	return appendRecord(nil, seq, at, payload, checksum(payload))
}

// Datasync is the sync of a segment.
var Datasync = datasync

// Walk goes through a segment; payload is nil where there is no record.
func Walk(data []byte, visit func(start, end int, payload []byte)) {
	for off := 0; ; {
		step := next(data, off)
		if step.finding == foundEnd {
			return
		}
		visit(step.start, step.end, step.payload)
		off = step.end
	}
}
