package reading

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

const (
	// blockSize is how much of a file is read at once.
	blockSize = 256 << 10
	// maxLine bounds the bytes of a line, and with them the memory of reading.
	maxLine = 4 << 20
)

// ErrUnfinished is in a *Foreign for the last line of a file that has no end and is no whole
// event: its writer may be about to write the rest, or has crashed.
var ErrUnfinished = errors.New("the last line is not finished")

// ErrTorn is in a *Foreign for lines that end within an event and have others behind them. A
// writer that is killed leaves such a line, and the next one goes on behind it. Only a Query that
// is Strict tells them from other lines.
var ErrTorn = errors.New("the line ends within an event: its writer was killed, or somebody cut it off")

var errLong = errors.New("the line is longer than 4 MiB")

// cutter cuts what it reads into whole lines.
type cutter struct {
	rest []byte    // the begin of a line whose end was not read yet
	long bool      // within a line of more than maxLine bytes, which are dropped
	hash io.Writer // takes what is read, if it is not nil
}

// next reads once. It returns whole lines in the memory of buf, or in a larger one. skipped
// says that a line before them was too long, and was dropped.
func (c *cutter) next(in io.Reader, buf []byte) (lines []byte, skipped bool, err error) {
	buf = append(buf[:0], c.rest...)
	if cap(buf)-len(buf) < blockSize/2 {
		buf = slices.Grow(buf, blockSize)
	}
	had := len(buf)
	n, err := in.Read(buf[had:cap(buf)])
	buf = buf[:had+n]
	if c.hash != nil {
		_, _ = c.hash.Write(buf[had:]) // which cannot fail
	}
	end := had + bytes.LastIndexByte(buf[had:], '\n') + 1
	if end == had {
		c.keep(buf)
		return nil, false, err
	}
	lines, skipped = buf[:end], c.long
	if skipped {
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
	}
	c.long = false
	c.keep(buf[end:])
	return lines, skipped, err
}

// keep keeps the begin of a line for the next time.
func (c *cutter) keep(begin []byte) {
	if c.rest = c.rest[:0]; cap(c.rest) > 2*blockSize {
		c.rest = nil
	}
	if c.long = c.long || len(begin) > maxLine; !c.long {
		c.rest = append(c.rest, begin...)
	}
}
