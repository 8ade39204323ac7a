package log

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

const (
	compressed = ".gz"
	// maxBackupNames is how many names of a backup are tried, each a millisecond later.
	maxBackupNames = 10_000
)

// backups are the rotated files beside a log.
type backups struct {
	opts FileOptions
	disk disk.Disk
	// due has the path of a log whose backups are to be removed and compressed. It is nil
	// where the options ask for neither.
	due      chan string
	cleaning sync.WaitGroup
	err      error // of the latest time
}

func newBackups(opts FileOptions, d disk.Disk) *backups {
	b := &backups{opts: opts, disk: d}
	if opts.MaxAgeDays > 0 || opts.MaxBackups > 0 || opts.Compress {
		b.due = make(chan string, 1)
		b.cleaning.Go(func() {
			for path := range b.due {
				b.err = b.clean(path, time.Now())
			}
		})
	}
	return b
}

// tidy removes and compresses backups in the background.
func (b *backups) tidy(path string) {
	select {
	case b.due <- path:
	default: // it is due already, or never
	}
}

// close waits until all is tidy, and returns what went wrong the last time.
func (b *backups) close() error {
	if b.due != nil {
		close(b.due)
	}
	b.cleaning.Wait()
	if b.err != nil {
		return fmt.Errorf("removing or compressing rotated files: %w", b.err)
	}
	return nil
}

// add gives the file at path, whose place is here, a second name as a backup. undo
// takes that back.
func (b *backups) add(path string, here *disk.Place) (undo func() error, err error) {
	now := time.Now()
	for range maxBackupNames {
		name := disk.BackupPath(path, now)
		now = now.Add(time.Millisecond)
		if taken(name) || taken(name+compressed) {
			continue
		}
		err := b.disk.Link(path, name)
		undo := func() error { return b.disk.Remove(name) }
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil: // the file system may have no links
			if err := b.disk.Rename(path, name); err != nil {
				return nil, err
			}
			undo = func() error { return b.disk.Rename(name, path) }
		}
		var added disk.Place
		if err := added.Find(name); err != nil || !added.Is(here) {
			return nil, errors.Join(fmt.Errorf("%s %w", path, errMoved), err, undo())
		}
		return undo, nil
	}
	return nil, fmt.Errorf("%d names for a backup of %s are taken", maxBackupNames, path)
}

func taken(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// clean removes the backups of the log at path that are too many or too old, and
// compresses the others if that is asked for.
func (b *backups) clean(path string, now time.Time) error {
	found, err := disk.Backups(path, compressed)
	if err != nil {
		return err
	}
	var errs []error
	for i, old := range found {
		name := filepath.Join(filepath.Dir(path), old.Name)
		switch {
		case b.opts.MaxBackups > 0 && i >= b.opts.MaxBackups,
			b.opts.MaxAgeDays > 0 && now.Sub(old.Time) > time.Duration(b.opts.MaxAgeDays)*24*time.Hour:
			errs = append(errs, disk.RemoveAny(b.disk, name), disk.RemoveAny(b.disk, name+compressed))
		case b.opts.Compress:
			errs = append(errs, b.compress(path, name))
		}
	}
	return errors.Join(errs...)
}

// compress replaces the backup by its compressed form. A backup that is still the log
// itself, after a crash within a rotation, stays as it is.
func (b *backups) compress(path, backup string) error {
	from, err := b.disk.OpenFile(backup, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // only the compressed form is there
	}
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // it was only read
	here, err := disk.PlaceOf(from)
	if err != nil {
		return err
	}
	var current disk.Place
	if err := current.Find(path); err == nil && current.Is(&here) {
		return nil
	}
	err = disk.Create(b.disk, backup+compressed, here.Mode(), func(to disk.File) error {
		_ = here.Own(to) // as far as the process may
		z := gzip.NewWriter(to)
		_, err := io.Copy(z, io.NewSectionReader(from, 0, here.Size()))
		return errors.Join(err, z.Close(), to.Chmod(here.Mode()))
	})
	if err != nil {
		return err
	}
	return b.disk.Remove(backup)
}
