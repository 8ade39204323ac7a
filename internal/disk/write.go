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

// WriteFile stores a private file durably: afterwards it has all of content, or it is as it
// was. A file that root writes gets the owner of its directory, who is to read it.
func WriteFile(d Disk, path string, content []byte) error {
	part := path + ".part"
	f, err := d.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, PrivateMode)
	if err != nil {
		return err
	}
	err = errors.Join(giveToOwner(f, filepath.Dir(path)), WriteAt(f, content, 0), f.Sync(), f.Close())
	if err == nil {
		err = d.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, d.Remove(part))
	}
	return d.SyncDir(filepath.Dir(path))
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
