//go:build !unix

package log

import (
	"errors"
	"io/fs"
	"os"
)

// place is what tells one file from another, and its size.
type place struct{ info fs.FileInfo }

func (p *place) find(path string) (err error) {
	p.info, err = os.Stat(path)
	return err
}

func placeOf(f *os.File) (p place, err error) {
	p.info, err = f.Stat()
	return p, err
}

func (p *place) is(other *place) bool { return os.SameFile(p.info, other.info) }

func (p *place) size() int64 { return p.info.Size() }

func (*place) removed() bool { return false }

func (*place) own(*os.File) {}

func lock(*os.File) error { return errors.New("a file can be locked on Unix systems only") }

func unlock(*os.File) {}
