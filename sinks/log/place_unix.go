//go:build unix

package log

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// place is what tells one file from another, and its size.
type place struct{ stat syscall.Stat_t }

// find makes p the place of the file at path, behind links. It is called with every write,
// and allocates less than os.Stat.
func (p *place) find(path string) error {
	for {
		if err := syscall.Stat(path, &p.stat); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func placeOf(f *os.File) (p place, err error) {
	info, err := f.Stat()
	if err != nil {
		return p, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return p, fmt.Errorf("%s tells no inode", f.Name())
	}
	return place{*stat}, nil
}

func (p *place) is(other *place) bool {
	return p.stat.Dev == other.stat.Dev && p.stat.Ino == other.stat.Ino
}

func (p *place) size() int64 { return p.stat.Size }

// removed reports that the file has no name any more.
func (p *place) removed() bool { return p.stat.Nlink == 0 }

// own gives f the owner of the file at p, as far as the process may.
func (p *place) own(f *os.File) { _ = f.Chown(int(p.stat.Uid), int(p.stat.Gid)) }

// lock locks f until unlock, or until the process ends. It holds against every other
// opening of the file, in this process as well.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return fmt.Errorf("another sink, of this process or another one, writes to %s: give each a file of its own: %w", f.Name(), err)
	}
	return fmt.Errorf("locking %s: %w", f.Name(), err)
}

// unlock does more than closing f: a child process that is just being started holds
// its descriptors for a moment, and with them the lock.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
