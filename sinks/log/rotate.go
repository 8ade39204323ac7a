package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/paths"
)

// rotatingFile is the file at a path, which it locks and appends to. A line is confirmed
// only when the file that it went to still stands at the path.
type rotatingFile struct {
	name  string // absolute, as the caller spelled it
	opts  FileOptions
	disk  disk.Disk
	max   int64       // bytes
	lines *lineWriter // which writes here
	keep  *backups

	file disk.File  // nil while none could be opened
	path string     // of file, without links: its backups stand beside it
	here disk.Place // of file
	now  disk.Place // of what stood at the path at the last look; a field, so that a write does not allocate it
	size int64
	// unsynced says that the directory was not synced since file got its name.
	unsynced bool
	// written is how many bytes were written to file since it was opened.
	written int64
	opened  time.Time
}

// open opens the file that stands at the path, or creates it.
func (r *rotatingFile) open() error {
	for range 10 { // another sink may be rotating the file, and then end
		path := paths.Resolve(r.name)
		f, err := r.disk.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, r.opts.Mode)
		if err != nil {
			return err
		}
		err = r.take(f, path)
		if err == nil {
			return nil
		}
		f.Unlock()
		_ = f.Close() // nothing was written to it
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return fmt.Errorf("%s %w while it was opened", r.name, errMoved)
}

var errMoved = errors.New("was moved, removed or replaced")

// take makes f, opened at path, the file to write to, when nobody else holds it and it still
// stands at the path.
func (r *rotatingFile) take(f disk.File, path string) error {
	if err := f.Lock(); err != nil {
		return err
	}
	here, err := disk.PlaceOf(f)
	if err != nil {
		return err
	}
	if err := r.now.Find(r.name); err != nil || !r.now.Is(&here) {
		return errMoved
	}
	size, torn, err := mend(r.disk, path, f, &here)
	if err != nil {
		return err
	}
	if r.opts.Fsync {
		if err := errors.Join(f.Sync(), r.disk.SyncDir(filepath.Dir(path))); err != nil {
			return err
		}
	}
	r.begin(f, path, here)
	r.size, r.lines.torn = size, torn
	return nil
}

// begin writes to f from now on.
func (r *rotatingFile) begin(f disk.File, path string, here disk.Place) {
	r.file, r.path, r.here, r.size = f, path, here, here.Size()
	r.unsynced, r.written, r.opened = false, 0, time.Now()
}

// ready makes the file ready for a line of n bytes: it opens it when an earlier attempt
// failed, and rotates it when it is full. room is how many bytes go in before it is full.
func (r *rotatingFile) ready(n int) (room int, err error) {
	if int64(n) > r.max {
		return 0, driver.Permanent(fmt.Errorf("a line of %d bytes is larger than the file may be: raise MaxSizeMB", n))
	}
	if r.file == nil {
		if err := r.open(); err != nil {
			return 0, fmt.Errorf("opening the file: %w", err)
		}
	}
	if r.room() < n {
		if err := r.stands(0); err != nil { // somebody may have truncated it
			return 0, err
		}
	}
	if r.room() < n {
		if err := r.rotate(); err != nil {
			return 0, fmt.Errorf("rotating the file: %w", err)
		}
	}
	return r.room(), nil
}

// room is how many bytes of whole lines go into the file before it is full.
func (r *rotatingFile) room() int {
	room := r.max - r.size
	if r.lines.torn {
		room-- // the end of the line that it ends within
	}
	return int(min(room, 1<<30)) // more than is ever written at once, and an int everywhere
}

// Write appends p.
func (r *rotatingFile) Write(p []byte) (int, error) {
	n, err := r.file.Write(p)
	r.size += int64(n)
	r.written += int64(n)
	return n, err
}

// sync makes the latest write durable: the file, and after a rotation the names in its
// directory.
func (r *rotatingFile) sync() error {
	if err := r.file.Sync(); err != nil || !r.unsynced {
		return err
	}
	if err := r.disk.SyncDir(filepath.Dir(r.path)); err != nil {
		return err
	}
	r.unsynced = false
	return nil
}

// stands returns an error when the file, to which n bytes were just written, does not
// stand at the path any more or has lost them. The file that stands there is opened.
func (r *rotatingFile) stands(n int) error {
	err := r.now.Find(r.name)
	if err == nil && r.now.Is(&r.here) {
		r.size = r.now.Size()
		if r.size < int64(n) {
			return fmt.Errorf("%s was truncated during a write", r.name)
		}
		return nil
	}
	moved := fmt.Errorf("%s %w while in use: %s; let nothing rotate it without Reopen", r.name, errMoved, r.account())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		moved = fmt.Errorf("%w (%w)", moved, err)
	}
	return errors.Join(moved, r.release(), r.open())
}

// account says what went into the file.
func (r *rotatingFile) account() string {
	return fmt.Sprintf("%d bytes that were written to it since %s went with it, and may be lost",
		r.written, r.opened.UTC().Format(time.RFC3339))
}

// reopen opens the file that stands at the path, after somebody else's rotation.
func (r *rotatingFile) reopen() error {
	if r.file != nil {
		if err := r.now.Find(r.name); err == nil && r.now.Is(&r.here) {
			return nil
		}
	}
	return errors.Join(r.lost(), r.release(), r.open())
}

// lost returns an error when the file that was written to has no name any more.
func (r *rotatingFile) lost() error {
	if r.file == nil || r.written == 0 {
		return nil
	}
	if now, err := disk.PlaceOf(r.file); err != nil || !now.Removed() {
		return err
	}
	return fmt.Errorf("%s was removed while in use: %s", r.name, r.account())
}

// rotate makes a backup of the file and begins a new one. At every moment a locked file
// stands at the path, so no other sink can come between. r.now has just been looked up.
func (r *rotatingFile) rotate() (err error) {
	next := filepath.Join(filepath.Dir(r.path), "."+filepath.Base(r.path)+".next")
	if err := disk.RemoveAny(r.disk, next); err != nil {
		return err // it is there after a crash
	}
	f, err := r.disk.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, r.now.Mode())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), r.disk.Remove(next))
		}
	}()
	if err := errors.Join(f.Lock(), f.Chmod(r.now.Mode())); err != nil {
		return err
	}
	_ = r.now.Own(f) // as far as the process may
	here, err := disk.PlaceOf(f)
	if err != nil {
		return err
	}
	undo, err := r.keep.add(r.path, &r.here)
	if err != nil {
		return err
	}
	if r.opts.Fsync { // otherwise the old name may be gone from the disk before the new one is there
		err = r.disk.SyncDir(filepath.Dir(r.path))
	}
	if err == nil {
		err = r.disk.Rename(next, r.path)
	}
	if err != nil {
		return errors.Join(err, undo())
	}
	old := r.file
	r.begin(f, r.path, here)
	r.unsynced, r.lines.torn = true, false
	r.keep.tidy(r.path)
	old.Unlock()
	_ = old.Close() // its lines are confirmed, and synced where that is asked for
	return nil
}

// release gives the file up.
func (r *rotatingFile) release() error {
	f := r.file
	if f == nil {
		return nil
	}
	r.file = nil
	err := f.Sync()
	f.Unlock()
	return errors.Join(err, f.Close())
}

// close ends the goroutine of the backups too.
func (r *rotatingFile) close() error {
	return errors.Join(r.lost(), r.release(), r.keep.close())
}
