//go:build unix

package recordlog

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock locks the directory until the file is closed or the process ends. It locks the
// directory itself: a file in it could be removed, and made and locked again.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("another process or sink uses %s: give each a directory of its own: %w", dir, err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
