package spool

import (
	"io/fs"
	"os"
	"sync"

	"github.com/paddock-dev/audit/internal/disk"
)

// Fault makes the operations of a FaultyDisk fail.
type Fault struct {
	// On is asked before each operation ("create", "open", "rename", "remove",
	// "syncdir", "read", "write", "truncate", "sync"); an error makes it fail.
	On func(op, path string) error
	// Short is how many bytes a failing write stores before it fails. -1 makes it store one
	// byte less than asked for, and report no error.
	Short int
}

// FaultyDisk is the disk of the operating system, with faults.
type FaultyDisk struct {
	// Unsynced leaves every fsync out, for tests that open thousands of spools.
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

func (d *FaultyDisk) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	op := "open"
	if flag&os.O_CREATE != 0 {
		op = "create"
	}
	if _, err := d.ask(op, path); err != nil {
		return nil, err
	}
	f, err := disk.OS.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: f, disk: d, path: path}, nil
}

func (d *FaultyDisk) Link(from, to string) error { return disk.OS.Link(from, to) }

func (d *FaultyDisk) Rename(from, to string) error {
	if _, err := d.ask("rename", from); err != nil {
		return err
	}
	return disk.OS.Rename(from, to)
}

func (d *FaultyDisk) Remove(path string) error {
	if _, err := d.ask("remove", path); err != nil {
		return err
	}
	return disk.OS.Remove(path)
}

func (d *FaultyDisk) SyncDir(path string) error {
	if _, err := d.ask("syncdir", path); err != nil {
		return err
	}
	if d.Unsynced {
		return nil
	}
	return disk.OS.SyncDir(path)
}

type faultyFile struct {
	disk.File

	disk *FaultyDisk
	path string
}

func (f *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	if _, err := f.disk.ask("read", f.path); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	fault, err := f.disk.ask("write", f.path)
	if err == nil {
		return f.File.WriteAt(b, off)
	}
	if fault.Short < 0 {
		return f.File.WriteAt(b[:len(b)-1], off)
	}
	n, writeErr := f.File.WriteAt(b[:min(fault.Short, len(b))], off)
	if writeErr != nil {
		return n, writeErr
	}
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.disk.ask("truncate", f.path); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Sync() error {
	if _, err := f.disk.ask("sync", f.path); err != nil {
		return err
	}
	if f.disk.Unsynced {
		return nil
	}
	return f.File.Sync()
}
