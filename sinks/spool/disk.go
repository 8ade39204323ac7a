package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// disk is what the spool does to files, so that tests can make it fail.
type disk interface {
	// create makes a new file for reading and writing, and fails when it exists.
	create(path string) (file, error)
	// open opens an existing file for reading, and for writing when that is asked for.
	open(path string, write bool) (file, error)
	rename(from, to string) error
	remove(path string) error
	// syncDir makes the names in a directory durable.
	syncDir(path string) error
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// sync makes the content durable, and what is needed to read it.
	sync() error
}

type realDisk struct{}

type realFile struct{ *os.File }

func (realDisk) create(path string) (file, error) {
	return opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode))
}

func (realDisk) open(path string, write bool) (file, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	return opened(os.OpenFile(path, flag, 0))
}

func opened(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return realFile{f}, nil
}

func (realDisk) rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) remove(path string) error     { return os.Remove(path) }

func (realDisk) syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f realFile) sync() error { return datasync(f.File) }

// writeFile stores a whole file durably, or nothing under that name. A file that
// has the name already is replaced.
func writeFile(d disk, path string, content []byte) (err error) {
	part := path + ".part"
	if err := d.remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := d.create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.remove(part) // the error says enough
		}
	}()
	if err := errors.Join(writeAt(f, content, 0), f.sync(), f.Close()); err != nil {
		return err
	}
	if err := d.rename(part, path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// writeAt takes a short write for the error that it is.
func writeAt(f file, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
