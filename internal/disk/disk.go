// Package disk is what the log file and the spool do to files. It never waits for the other
// end of a pipe. Tests put another Disk in the place of OS, to make operations fail or to
// record them for package disktest.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
)

// Disk is a file system.
type Disk interface {
	// OpenFile takes the arguments of os.OpenFile. It fails with ErrIrregular for a pipe,
	// a directory or a device.
	OpenFile(path string, flag int, mode fs.FileMode) (File, error)
	// Link gives the file at from a second name.
	Link(from, to string) error
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(path string) error
}

// File is a regular file of a Disk.
type File interface {
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
	Truncate(size int64) error
	// Sync makes the content durable, with the metadata that is needed to read it.
	Sync() error
	// Lock locks the file until Unlock, or until the process ends. It holds against every
	// other opening of the file, in this process as well.
	Lock() error
	// Unlock does more than Close: a child process that is just being started holds the
	// open files of this one for a moment, and with them their locks.
	Unlock()
}

// OS is the Disk of the operating system.
var OS Disk = osDisk{}

type osDisk struct{}

// ErrIrregular is the error for a pipe, a directory or a device in the place of a file.
var ErrIrregular = errors.New("this is no regular file")

func (osDisk) OpenFile(path string, flag int, mode fs.FileMode) (File, error) {
	f, err := openRegular(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func openRegular(path string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, mode) // without the flag, opening a pipe waits
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrIrregular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (osDisk) Link(from, to string) error   { return os.Link(from, to) }
func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) Remove(path string) error     { return os.Remove(path) }

func (osDisk) SyncDir(path string) error {
	d, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }
func (f osFile) Lock() error { return lock(f.File) }
func (f osFile) Unlock()     { unlock(f.File) }

// LockDir locks the directory at path until the result is closed or the process ends.
func LockDir(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// All is the limit of ReadFile for a file of any size.
const All = math.MaxInt64

// ReadFile returns the first bytes of a regular file, at most limit of them.
func ReadFile(path string, limit int64) (content []byte, err error) {
	f, err := openRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, limit))
}
