package durable_test

import (
	"os"
	"syscall"
)

// datasync is what the spool calls too.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
