package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/DeRuina/timberjack"

	"github.com/paddock-dev/audit/driver"
)

// rotatingFile adds to timberjack what durability takes. timberjack syncs only
// when asked, and never the directory that names the file.
type rotatingFile struct {
	path   string
	max    int // bytes
	logger *timberjack.Logger
	// current is the file that the directory was last synced for.
	current fs.FileInfo
}

// prepare opens the file, or creates it, so that a fault shows at the start and not
// with the first event. It reports whether the last line has no line end.
func (r *rotatingFile) prepare(opts FileOptions) (torn bool, err error) {
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, opts.Mode)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if r.current, err = f.Stat(); err != nil {
		return false, err
	}
	if size := r.current.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, size-1); err != nil {
			return false, err
		}
		torn = last[0] != '\n'
	}
	if opts.Fsync {
		err = errors.Join(f.Sync(), r.syncDirectory())
	}
	return torn, err
}

// Write appends p, after a rotation when one is due. A p larger than a chunk is a single
// line, and max is larger than a chunk.
func (r *rotatingFile) Write(p []byte) (int, error) {
	if len(p) > r.max {
		return 0, driver.Permanent(fmt.Errorf("a line of %d bytes is larger than the file may be: raise MaxSizeMB", len(p)))
	}
	return r.logger.Write(p)
}

// sync makes the latest write durable: the file, and after a rotation the names in its
// directory.
func (r *rotatingFile) sync() error {
	if err := r.logger.Sync(); err != nil {
		return err
	}
	info, err := os.Stat(r.path)
	if err == nil && os.SameFile(info, r.current) {
		return nil
	}
	// After our own rotation the line is in the new file. If that is missing or empty,
	// another program moved the file away, and the line with it.
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return errors.Join(
			fmt.Errorf("%s was moved or removed while in use: let nothing else rotate it", r.path),
			r.logger.Rotate())
	}
	if err == nil {
		err = r.syncDirectory()
	}
	if err == nil {
		r.current = info
	}
	return err
}

func (r *rotatingFile) syncDirectory() (err error) {
	d, err := os.Open(filepath.Dir(r.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// close ends the rotation's goroutine too.
func (r *rotatingFile) close() error {
	return errors.Join(r.logger.Sync(), r.logger.Close())
}
