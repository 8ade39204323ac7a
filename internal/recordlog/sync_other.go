//go:build !linux

package recordlog

import "os"

func datasync(f *os.File) error { return f.Sync() }
