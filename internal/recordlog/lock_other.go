//go:build !unix

package recordlog

import (
	"errors"
	"os"
)

func lock(string) (*os.File, error) {
	return nil, errors.New("a directory can be locked on Unix systems only")
}
