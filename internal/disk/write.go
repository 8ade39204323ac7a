package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// PrivateMode is the mode of files that only their owner may read.
const PrivateMode fs.FileMode = 0o600

const dirMode = 0o700

// Create stores a file durably: afterwards it has all that write wrote, or it is as it was.
func Create(d Disk, path string, mode fs.FileMode, write func(File) error) error {
	part := path + ".part"
	if err := RemoveAny(d, part); err != nil {
		return err // it is there after a crash
	}
	f, err := d.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = d.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, d.Remove(part))
	}
	return d.SyncDir(filepath.Dir(path))
}

// WriteFile stores a private file durably. A file that root writes gets the owner of its
// directory, so that this owner can read it.
func WriteFile(d Disk, path string, content []byte) error {
	return Create(d, path, PrivateMode, func(f File) error {
		return errors.Join(giveToOwner(f, filepath.Dir(path)), WriteAt(f, content, 0))
	})
}

// RemoveAny removes a file, if there is one.
func RemoveAny(d Disk, path string) error {
	if err := d.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// giveToOwner gives a file the owner of a directory. It does nothing unless the process
// runs as root, because no other user may change owners.
func giveToOwner(f File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var p Place
	if err := p.Find(dir); err != nil {
		return err
	}
	return p.Own(f)
}

// WriteAt makes an error of a write that was shorter than asked for.
func WriteAt(f io.WriterAt, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
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
