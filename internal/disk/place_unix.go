//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Place tells one file or directory from another. It also has the size, the permissions and
// the owner that the file had when it was looked up.
type Place struct{ stat syscall.Stat_t }

// Find makes p the place of the file at path, behind links. It allocates less than os.Stat:
// the log calls it with every write.
func (p *Place) Find(path string) error {
	for {
		err := syscall.Stat(path, &p.stat)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}

// PlaceOf returns the place of an open file.
func PlaceOf(f interface{ Stat() (fs.FileInfo, error) }) (p Place, err error) {
	info, err := f.Stat()
	if err != nil {
		return p, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return p, fmt.Errorf("%s tells no inode", info.Name())
	}
	return Place{*stat}, nil
}

// Is reports that both are the place of one file.
func (p *Place) Is(other *Place) bool {
	return p.stat.Dev == other.stat.Dev && p.stat.Ino == other.stat.Ino
}

// Size is in bytes.
func (p *Place) Size() int64 { return p.stat.Size }

// Mode has the permissions alone.
func (p *Place) Mode() fs.FileMode { return fs.FileMode(p.stat.Mode) & fs.ModePerm }

// Removed reports that the file had no name any more.
func (p *Place) Removed() bool { return p.stat.Nlink == 0 }

// Own gives f the owner of the file at p.
func (p *Place) Own(f File) error { return f.Chown(int(p.stat.Uid), int(p.stat.Gid)) }

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("another sink, of this process or another one, uses %s: give each a path of its own: %w", f.Name(), err)
	}
	return fmt.Errorf("locking %s: %w", f.Name(), err)
}

func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
