package bench

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

// tmpfsMagic is TMPFS_MAGIC of linux/magic.h.
const tmpfsMagic = 0x01021994

// Dir returns a folder on a real disk, which is removed at the end. In memory nothing would wait for a disk, and the
// durable peers would be compared by what they do not do.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		tb.Fatal(err)
	}
	if fs.Type == tmpfsMagic {
		tb.Fatalf("%s lies in memory (tmpfs): set TMPDIR to a folder on a disk", dir)
	}
	return dir
}

// Lines counts the lines of a file.
func Lines(path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, 1<<20)
	for {
		size, err := f.Read(block)
		n += bytes.Count(block[:size], []byte{'\n'})
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
