package disk

import (
	"errors"
	"os"
	"syscall"
)

// datasync leaves out the times of the file, which are not needed to read it.
func datasync(f *os.File) error {
	err := syscall.Fdatasync(int(f.Fd()))
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Fdatasync(int(f.Fd()))
	}
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}
