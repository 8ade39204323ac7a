package recordlog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// Disk is what a Log does to files, so that tests can make it fail.
type Disk interface {
	// OpenFile takes the flags of os.OpenFile. It fails with ErrIrregular for what is no
	// regular file.
	OpenFile(path string, flag int) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(path string) error
}

// File is a file of a Disk.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes the content durable, with the metadata that is needed to read it.
	Sync() error
}

// OS is the Disk of the operating system.
var OS Disk = osDisk{}

type osDisk struct{}

// ErrIrregular is the error for a pipe, a directory or a device in the place of a file.
var ErrIrregular = errors.New("this is no regular file")

// OpenFile makes files that only their owner may read.
func (osDisk) OpenFile(path string, flag int) (File, error) {
	f, err := openRegular(path, flag)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// openRegular does not wait for the other end of a pipe, as os.OpenFile does.
func openRegular(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, fileMode)
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

// ReadFile is os.ReadFile for regular files. It fails with ErrIrregular for others.
func ReadFile(path string) (content []byte, err error) {
	f, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	content, err = io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}

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

// WriteFile stores a file durably: afterwards it has all of content, or it is as it was.
// A file that root writes gets the owner of its directory: the spool of that user reads it.
func WriteFile(d Disk, path string, content []byte) error {
	part := path + ".part"
	f, err := d.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	err = errors.Join(giveToOwner(part), writeAt(f, content, 0), f.Sync(), f.Close())
	if err == nil {
		err = d.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, d.Remove(part))
	}
	return d.SyncDir(filepath.Dir(path))
}

// MakeDir makes a directory, and those above it that are missing, with durable names.
func MakeDir(d Disk, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeDir(d, parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, dirMode); err != nil {
		return err
	}
	return d.SyncDir(parent)
}

// makeDirs makes dir and a directory in it. An earlier process may have ended before the name
// of dir was durable, so it is synced again. That may fail, as where the parent is not the
// caller's: most directories were made by others, who have synced them.
func makeDirs(d Disk, dir, sub string) error {
	if err := MakeDir(d, filepath.Join(dir, sub)); err != nil {
		return err
	}
	_ = d.SyncDir(filepath.Dir(dir))
	return nil
}

// create makes a new file, and fails when there is one.
func create(d Disk, path string) (File, error) {
	return d.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// writeAt makes an error of a write that was shorter than asked for.
func writeAt(f File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
