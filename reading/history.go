package reading

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"time"
)

// tail is a file that is read on.
type tail struct {
	in      *input
	cutter  cutter
	history *history
	left    time.Time // when it left its path; zero while it stands there
}

// history is what was read of a file, under whatever name.
type history struct {
	first uint64 // hash of its first line; 0 before that was read
	read  int64  // bytes, unpacked
	rest  int64  // of these, behind the last whole line
	all   maphash.Hash
}

var seed = maphash.MakeSeed()

// firstBytes is how much of the first line is looked at.
const firstBytes = 64 << 10

// firstLine returns a hash of the first line; 0 when it has no end yet.
func firstLine(from io.Reader) (uint64, error) {
	var line []byte
	piece := make([]byte, 4<<10)
	for len(line) < firstBytes {
		n, err := from.Read(piece)
		line = append(line, piece[:n]...)
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return maphash.Bytes(seed, line[:end]) | 1, nil
		}
		if err != nil {
			return 0, noEOF(err)
		}
	}
	return maphash.Bytes(seed, line[:firstBytes]) | 1, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// begin returns the tail of a file, behind what was read of it under another name. The file
// is closed after an error.
func (t *tails) begin(in *input) (*tail, error) {
	first, err := firstLine(in)
	in = in.again()
	for _, known := range t.histories {
		if err != nil {
			break
		}
		if first == 0 || known.first != first {
			continue
		}
		var tl *tail
		if tl, err = t.behind(in, known); tl != nil {
			return tl, nil
		}
		in = in.again()
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return t.fresh(in), nil
}

// fresh returns the tail of a file of which nothing was read.
func (t *tails) fresh(in *input) *tail {
	c := &history{}
	c.all.SetSeed(seed)
	t.histories = append(t.histories, c)
	return &tail{in: in, history: c}
}

// behind returns the tail of a file that begins with what was read of another one, behind
// its lines; nil when the file does not begin so.
func (t *tails) behind(in *input, known *history) (*tail, error) {
	var all maphash.Hash
	all.SetSeed(seed)
	newlines := &newlineCounter{}
	n, err := io.Copy(io.MultiWriter(&all, newlines), io.LimitReader(in, known.read))
	if err != nil || n < known.read || all.Sum64() != known.all.Sum64() {
		return nil, noEOF(err)
	}
	in = in.again()
	in.lines = newlines.n
	tl := t.fresh(in)
	if _, err := io.CopyN(&tl.history.all, in, known.read-known.rest); err != nil {
		return nil, err
	}
	tl.history.read, tl.history.first = in.read, known.first
	return tl, nil
}

type newlineCounter struct{ n int }

func (c *newlineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// readOn reads what was appended to a file. It begins again when the file was truncated.
func (t *tails) readOn(tl *tail) error {
	if tl.replaced() {
		t.feed.end(tl.in, &tl.cutter)
		fresh := t.fresh(tl.in.again())
		tl.in, tl.cutter, tl.history = fresh.in, cutter{}, fresh.history
	}
	c := tl.history
	tl.cutter.hash = &c.all
	tl.findFirst() // before others can replace what is read
	err := t.feed.read(tl.in, &tl.cutter)
	c.read, c.rest = tl.in.read, int64(len(tl.cutter.rest))
	if err != nil {
		tl.findFirst() // in what came meanwhile
	}
	return noEOF(err)
}

// findFirst looks for the first line, unless it is known. Without it, the file is new under another name.
func (tl *tail) findFirst() {
	if tl.history.first == 0 && !isCompressed(tl.in.path) {
		tl.history.first, _ = firstLine(&plainFile{file: tl.in.file.file})
	}
}

// replaced reports that a file was truncated, and may have been written again.
func (tl *tail) replaced() bool {
	if isCompressed(tl.in.path) {
		return false
	}
	if tl.in.file.truncated() {
		return true
	}
	info, err := tl.in.file.file.Stat()
	if err != nil || info.Size() == tl.in.file.off || tl.history.first == 0 {
		return false
	}
	first, err := firstLine(&plainFile{file: tl.in.file.file})
	return err == nil && first != tl.history.first
}
