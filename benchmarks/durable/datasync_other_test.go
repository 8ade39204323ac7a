//go:build !linux

package durable_test

import "os"

// datasync is what the spool calls too.
func datasync(f *os.File) error { return f.Sync() }
