package log

import (
	"bytes"
	"os"

	"github.com/paddock-dev/audit/internal/disk"
)

// mendedBytes is how many bytes at the end of a file are mended. It is more than one write
// has, and with fsync no more than one write can be damaged.
const mendedBytes = 4 << 20

// mend removes the zeros that a power loss can leave at the end of the file at path, in place
// of bytes that were written and not synced. No line has zeros. It cuts the last ones off, and
// makes ends of lines of the others, so that whole lines behind them can be read. f is the
// file, opened for appending, and here its place. The result is its size then, and whether it
// ends within a line.
func mend(d disk.Disk, path string, f disk.File, here *disk.Place) (size int64, torn bool, err error) {
	size = here.Size()
	begin := max(size-mendedBytes, 0)
	tail := make([]byte, size-begin)
	if _, err := f.ReadAt(tail, begin); err != nil {
		return 0, false, err
	}
	if kept := bytes.TrimRight(tail, "\x00"); len(kept) < len(tail) {
		tail, size = kept, begin+int64(len(kept))
		if err := f.Truncate(size); err != nil {
			return 0, false, err
		}
	}
	if first := bytes.IndexByte(tail, 0); first >= 0 {
		behind := bytes.LastIndexByte(tail, 0) + 1
		ended := bytes.ReplaceAll(tail[first:behind], []byte{0}, newline)
		if err := overwrite(d, path, here, ended, begin+int64(first)); err != nil {
			return 0, false, err
		}
	}
	return size, size > 0 && !bytes.HasSuffix(tail, newline), nil
}

// overwrite writes in the middle of the file at path. What is opened for appending cannot.
func overwrite(d disk.Disk, path string, here *disk.Place, b []byte, off int64) error {
	f, err := d.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // the caller syncs the file
	if there, err := disk.PlaceOf(f); err != nil || !there.Is(here) {
		return errMoved
	}
	return disk.WriteAt(f, b, off)
}
