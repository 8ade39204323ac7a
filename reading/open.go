package reading

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/paddock-dev/audit/internal/disk"
)

const (
	standardInput = "-"
	suffixGzip    = ".gz"
	suffixZstd    = ".zst"
	// maxWindow bounds the memory of unpacking. Every tool unpacks that much (RFC 8878), and
	// zstd uses more with --ultra or --long only.
	maxWindow = 8 << 20
)

// input is a file that is being read, or the standard input. The goroutine that sends its
// blocks reads it, and the receiver counts its lines.
type input struct {
	path   string
	reader io.Reader
	file   *plainFile // nil for the standard input
	close  func()
	read   int64 // bytes that were read, unpacked

	lines   int // that were received
	foreign Foreign
	told    int // of foreign
	// torn are lines that end within an event, which were not told yet; nil for none.
	torn *Foreign
	// unfinished is its last line, if that is no whole event.
	unfinished *Foreign
}

// Read returns io.EOF where nothing more can be read now.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.reader.Read(p)
	in.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading %s: %w", in.path, err)
	}
	return n, err
}

// again returns an input of the same open file that begins at its start. in is not used any
// more.
func (in *input) again() *input {
	in.file.off = 0
	if u, ok := in.reader.(*unpacker); ok {
		u.unpacked = nil
	}
	return &input{path: in.path, reader: in.reader, file: in.file, close: in.close}
}

func isCompressed(path string) bool {
	return strings.HasSuffix(path, suffixGzip) || strings.HasSuffix(path, suffixZstd)
}

// open opens a regular file, which the name tells to be compressed or not.
func open(path string) (*input, error) {
	f, err := disk.OS.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, disk.ErrIrregular) {
		err = fmt.Errorf("%w: give a pipe as the standard input, with the name -", err)
	}
	if err != nil {
		return nil, err
	}
	place, err := disk.PlaceOf(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	plain := &plainFile{file: f, place: place}
	in := &input{path: path, file: plain, reader: plain}
	in.close = func() { _ = f.Close() } // it was only read
	switch {
	case strings.HasSuffix(path, suffixGzip):
		in.reader = &unpacker{from: plain, begin: func(from io.Reader) (io.Reader, error) { return gzip.NewReader(from) }}
	case strings.HasSuffix(path, suffixZstd):
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		in.reader = &unpacker{from: plain, begin: func(from io.Reader) (io.Reader, error) {
			err := z.Reset(from)
			return z, err
		}}
		in.close = func() { z.Close(); _ = f.Close() }
	}
	return in, nil
}

// plainFile reads a file from its begin.
type plainFile struct {
	file  disk.File
	place disk.Place
	off   int64
}

func (f *plainFile) Read(p []byte) (int, error) {
	n, err := f.file.ReadAt(p, f.off)
	f.off += int64(n)
	return n, err
}

// truncated reports that less is there than was read.
func (f *plainFile) truncated() bool {
	info, err := f.file.Stat()
	return err == nil && info.Size() < f.off
}

// unpacker reads what another reader unpacks, which begins with the first Read. An empty file
// is empty.
type unpacker struct {
	from     io.Reader
	begin    func(io.Reader) (io.Reader, error)
	unpacked io.Reader
}

func (u *unpacker) Read(p []byte) (n int, err error) {
	if u.unpacked == nil {
		if u.unpacked, err = u.begin(u.from); err != nil {
			u.unpacked = nil
			return 0, err
		}
	}
	return u.unpacked.Read(p)
}
