// Package disktest looks at the states that a power loss may leave on a disk. A Recorder
// notes what a program does to files, and Look makes such states of it.
package disktest

import (
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/paddock-dev/audit/internal/disk"
)

// kind is a kind of operation on a disk.
type kind int

const (
	write kind = iota
	truncate
	create
	link
	rename
	remove
	syncFile
	syncDir
)

type operation struct {
	kind   kind
	file   int    // of every kind but remove and syncDir
	at     int64  // offset of a write, or the size after a truncate
	before int    // a sync covers the operations before this one
	data   []byte // of a write
	path   string // of the other kinds: the name, or the directory of a syncDir
	to     string // the new name of a link and a rename
}

// Recorder is the disk of the operating system. It notes what is done to it, and leaves the
// syncs out: the running process sees what is in the page cache. All files lie below Root,
// where none was before.
type Recorder struct {
	Root string

	mu    sync.Mutex
	ops   []operation
	files int
	ids   map[string]int // of the files, by name
	sizes map[int]int64  // of the files, by ID
}

// NewRecorder returns a Recorder for an empty directory.
func NewRecorder(root string) *Recorder {
	return &Recorder{Root: root, ids: map[string]int{}, sizes: map[int]int64{}}
}

// Now is the number of operations so far.
func (r *Recorder) Now() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ops)
}

// OpenFile notes the creation of a file.
func (r *Recorder) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := disk.OS.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	id, known := r.ids[path]
	if !known {
		r.files++
		id = r.files
		r.ids[path] = id
		r.ops = append(r.ops, operation{kind: create, file: id, path: path})
	}
	file := &recordedFile{File: f, disk: r, id: id}
	if flag&os.O_TRUNC != 0 {
		file.truncated(0)
	}
	return file, nil
}

// Link notes the second name of a file.
func (r *Recorder) Link(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := disk.OS.Link(from, to); err != nil {
		return err
	}
	r.ids[to] = r.ids[from]
	r.ops = append(r.ops, operation{kind: link, file: r.ids[from], path: from, to: to})
	return nil
}

// Rename notes the new name of a file.
func (r *Recorder) Rename(from, to string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := disk.OS.Rename(from, to); err != nil {
		return err
	}
	r.ids[to] = r.ids[from]
	r.ops = append(r.ops, operation{kind: rename, file: r.ids[from], path: from, to: to})
	delete(r.ids, from)
	return nil
}

// Remove notes that a name is gone.
func (r *Recorder) Remove(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := disk.OS.Remove(path); err != nil {
		return err
	}
	delete(r.ids, path)
	r.ops = append(r.ops, operation{kind: remove, path: path})
	return nil
}

// SyncDir notes that the names in a directory are durable.
func (r *Recorder) SyncDir(path string) error {
	r.sync(operation{kind: syncDir, path: path})
	return nil
}

func (r *Recorder) sync(op operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	op.before = len(r.ops)
	r.ops = append(r.ops, op)
}

type recordedFile struct {
	disk.File

	disk *Recorder
	id   int
}

// Write notes what is appended.
func (f *recordedFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.File.Write(b)
	f.written(b[:n], f.disk.sizes[f.id])
	return n, err
}

func (f *recordedFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.File.WriteAt(b, off)
	f.written(b[:n], off)
	return n, err
}

func (f *recordedFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.truncated(size)
	return f.File.Truncate(size)
}

func (f *recordedFile) Sync() error {
	f.disk.sync(operation{kind: syncFile, file: f.id})
	return nil
}

// written and truncated are called with the lock of the Recorder held.
func (f *recordedFile) written(b []byte, at int64) {
	f.disk.ops = append(f.disk.ops, operation{kind: write, file: f.id, at: at, data: slices.Clone(b)})
	f.disk.sizes[f.id] = max(f.disk.sizes[f.id], at+int64(len(b)))
}

func (f *recordedFile) truncated(size int64) {
	f.disk.ops = append(f.disk.ops, operation{kind: truncate, file: f.id, at: size})
	f.disk.sizes[f.id] = size
}

// Unsynced is the disk of the operating system without syncs, for tests that open thousands
// of directories.
type Unsynced struct{ disk.Disk }

// OpenFile returns a file whose Sync does nothing.
func (u Unsynced) OpenFile(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := u.Disk.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

// SyncDir does nothing.
func (Unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ disk.File }

func (unsyncedFile) Sync() error { return nil }
