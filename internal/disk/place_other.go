//go:build !unix

package disk

import (
	"errors"
	"io/fs"
	"os"
)

// Place tells one file or directory from another, and has its size and permissions.
type Place struct{ info fs.FileInfo }

// Find makes p the place of the file at path, behind links.
func (p *Place) Find(path string) (err error) {
	p.info, err = os.Stat(path)
	return err
}

// PlaceOf returns the place of an open file.
func PlaceOf(f interface{ Stat() (fs.FileInfo, error) }) (p Place, err error) {
	p.info, err = f.Stat()
	return p, err
}

// Is reports that both are the place of one file.
func (p *Place) Is(other *Place) bool { return os.SameFile(p.info, other.info) }

// Size is in bytes.
func (p *Place) Size() int64 { return p.info.Size() }

// Mode has the permissions alone.
func (p *Place) Mode() fs.FileMode { return p.info.Mode().Perm() }

// Removed is unknown here.
func (*Place) Removed() bool { return false }

// Own does nothing here.
func (*Place) Own(File) error { return nil }

func lock(*os.File) error {
	return errors.New("files and directories can be locked on Unix systems only")
}

func unlock(*os.File) {}
