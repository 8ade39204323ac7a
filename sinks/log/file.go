package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/options"
)

const megabyte = 1 << 20

// FileOptions are the options of NewFile. The zero value is valid: rotation at
// 100 MiB, all backups kept, no fsync.
type FileOptions struct {
	Options
	// Fsync makes every event durable before Write returns, and the sink's level
	// LevelDurable. It costs one fsync for the events that are written at once: those
	// of a batch, and of writers that wait.
	Fsync bool `yaml:"fsync" doc:"make every event durable before it counts as written; for a file"`
	// MaxSizeMB is the size in MiB at which the file is rotated; 100 when 0.
	MaxSizeMB int `yaml:"maxSizeMB" default:"100" min:"1" max:"1048576" doc:"size in MiB at which the file is rotated"`
	// MaxAgeDays is how many days after its rotation a backup is removed; 0 keeps
	// backups of any age.
	MaxAgeDays int `yaml:"maxAgeDays" min:"0" max:"36500" doc:"days after which a rotated file is removed; 0 keeps all"`
	// MaxBackups is how many backups are kept; 0 keeps all.
	MaxBackups int `yaml:"maxBackups" min:"0" max:"1000000" doc:"how many rotated files are kept; 0 keeps all"`
	// Compress compresses backups with gzip.
	Compress bool `yaml:"compress" doc:"compress rotated files with gzip"`
	// Mode of a file that is created; 0600 when 0. A file that exists keeps its
	// own, and after a rotation the new file has that of the old one.
	Mode fs.FileMode
}

// Validate returns everything that is wrong with the options. NewFile asks it as well.
func (o FileOptions) Validate() error { return o.complete() }

func (o *FileOptions) complete() error {
	if o.Mode == 0 {
		o.Mode = disk.PrivateMode
	}
	return options.Complete(o)
}

// NewFile returns a Sink that appends to the file at path, in a directory that
// exists. When a line would take the file over MaxSizeMB, the file is renamed to a backup
// beside it (audit-2026-03-01T10-00-00.000-size.log) and a new one begun. A last line that
// a crash left unfinished is ended first. Zeros that a power loss left in the last 4 MiB,
// in place of bytes, are cut off or become ends of lines.
//
// Only one Sink may write to a file: NewFile locks it (flock) and refuses a file that
// another Sink holds, in this process or another one, whatever path or link leads to it.
// Close, or the end of the process, ends the lock. NewFile needs a system and a file
// system that have flock.
//
// A Write that returns nil has put its line into the file that stands at path, or into a
// backup of that. When somebody moves, removes or replaces the file, the write that finds
// it fails with ClassTransient and says how many bytes went with the file, and later ones
// go to the file that stands at path then. Another program may rename the file, as
// logrotate does: call Reopen afterwards, and best before the next Write. It may also
// truncate it after copying (copytruncate), but then loses the lines between the two.
//
// A device or a named pipe is written to as it is, without rotation and lock, and cannot
// have Fsync; a pipe needs its reader first. Close closes the file. Its error also says
// that backups could not be removed or compressed.
func NewFile(path string, opts FileOptions) (*Sink, error) {
	if path == "" {
		return nil, errors.New("log: the path of the file is empty: name one")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("log: %s: %w", path, err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("log: opening the file: %w", err)
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("log: %s is a directory: name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return newDevice(path, opts)
	}
	return newRotating(path, opts, disk.OS, int64(opts.MaxSizeMB)*megabyte)
}

// newDevice opens a file that is not regular. It is never rotated, because that would
// rename the device.
func newDevice(path string, opts FileOptions) (*Sink, error) {
	if opts.Fsync {
		return nil, fmt.Errorf("log: %s is not a regular file and cannot be synced: leave Fsync out", path)
	}
	// Without O_NONBLOCK, opening a pipe waits for its reader; with it, a write
	// that hangs can be ended by closing.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("log: opening the file: %w", err)
	}
	return newLineSink(path, &lineWriter{
		to:       f,
		mayBlock: true,
		group:    pipeChunk,
		abort:    func() { _ = f.Close() },
		finish: func() error {
			if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
				return err
			}
			return nil // abort was first
		},
	}, opts.Options), nil
}

// newRotating opens a regular file, which is rotated when it would exceed size bytes.
func newRotating(name string, opts FileOptions, d disk.Disk, size int64) (*Sink, error) {
	path, err := filepath.Abs(name) // the process may change its directory
	if err != nil {
		return nil, fmt.Errorf("log: opening the file: %w", err)
	}
	file := &rotatingFile{name: path, opts: opts, disk: d, max: size}
	w := &lineWriter{to: file, group: maxChunk, ready: file.ready, confirm: file.stands, reopen: file.reopen, finish: file.close}
	if opts.Fsync {
		w.sync = file.sync
		w.mayBlock = true // a disk can hang
	}
	file.lines = w
	if err := file.open(); err != nil {
		return nil, fmt.Errorf("log: opening the file: %w", err)
	}
	file.keep = newBackups(opts, d)
	file.keep.tidy(file.path)
	return newLineSink(name, w, opts.Options), nil
}
