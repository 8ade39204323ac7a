package reading

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
)

// header returns what stands before the data of a record in the file: the key, and the
// lengths of both parts of data.
func (e *encoded) header() []byte {
	at := e.key.Time
	b := binary.AppendVarint(nil, at.Unix())
	b = binary.AppendUvarint(b, uint64(at.Nanosecond()))
	for _, text := range []string{e.key.Name, e.key.Namespace} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	b = binary.AppendUvarint(b, uint64(e.at))
	return binary.AppendUvarint(b, uint64(len(e.data)))
}

// stream is an ordered stream of records.
type stream struct {
	index int
	// head is the first record of those that are left. Its data may be still to be read.
	head encoded
	// next sets head to the next record. It returns io.EOF at the end.
	next func() error
	// load reads the data of head; nil when it is there.
	load func() error
}

// ordered returns the stream of the records in memory, which it lets go of one by one.
func (s *Sorter) ordered(index int) *stream {
	held := s.held
	s.held, s.size = nil, 0
	slices.SortStableFunc(held, func(a, b encoded) int { return a.key.Compare(b.key) })
	st := &stream{index: index}
	st.next = func() error {
		if len(held) == 0 {
			return io.EOF
		}
		st.head, held[0] = held[0], encoded{}
		held = held[1:]
		return nil
	}
	return st
}

// readers returns the streams of runs.
func (s *Sorter) readers(runs []run) streams {
	all := make(streams, len(runs))
	for i, r := range runs {
		all[i] = s.reader(i, r)
	}
	return all
}

// reader returns the stream of a run. It holds one key, and no data before load: many runs
// of large events take no more memory than those of small ones.
func (s *Sorter) reader(index int, r run) *stream {
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), runBuffer)
	st := &stream{index: index}
	size := 0
	st.next = func() (err error) {
		st.head, size, err = readHeader(in)
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("reading back a sorted event: %w", err)
		}
		return err
	}
	st.load = func() error {
		s.data = slices.Grow(s.data[:0], size)[:size]
		st.head.data = s.data
		if _, err := io.ReadFull(in, s.data); err != nil {
			return fmt.Errorf("reading back a sorted event: %w", err)
		}
		return nil
	}
	return st
}

// readHeader reads what header made, and returns the length of the data behind it. It returns
// io.EOF when nothing is left.
func readHeader(in *bufio.Reader) (e encoded, size int, err error) {
	if _, err := in.Peek(1); err != nil {
		return e, 0, err
	}
	seconds, err := binary.ReadVarint(in)
	number := func() int {
		n, wrong := binary.ReadUvarint(in)
		err = cmp.Or(err, wrong)
		return int(n)
	}
	text := func() string {
		b := make([]byte, number())
		_, wrong := io.ReadFull(in, b)
		err = cmp.Or(err, wrong)
		return string(b)
	}
	e.key.Time = time.Unix(seconds, int64(number())).UTC()
	e.key.Name = text()
	e.key.Namespace = text()
	e.at = number()
	size = number()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return e, size, err
}

// streams are a heap by the heads, and by index for equal ones.
type streams []*stream

func (s streams) Len() int      { return len(s) }
func (s streams) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s streams) Less(i, j int) bool {
	return cmp.Or(s[i].head.key.Compare(s[j].head.key), cmp.Compare(s[i].index, s[j].index)) < 0
}
func (s *streams) Push(x any) { *s = append(*s, x.(*stream)) } //nolint:forcetypeassert // only streams are pushed
func (s *streams) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// merged yields the records of all streams in order, each valid until the next. An error ends
// it.
func (s streams) merged() iter.Seq2[encoded, error] {
	return func(yield func(encoded, error) bool) {
		var open streams
		for _, st := range s {
			switch err := st.next(); {
			case errors.Is(err, io.EOF):
			case err != nil:
				yield(encoded{}, err)
				return
			default:
				open = append(open, st)
			}
		}
		heap.Init(&open)
		for len(open) > 0 {
			first := open[0]
			if first.load != nil {
				if err := first.load(); err != nil {
					yield(encoded{}, err)
					return
				}
			}
			if !yield(first.head, nil) {
				return
			}
			switch err := first.next(); {
			case errors.Is(err, io.EOF):
				heap.Pop(&open)
			case err != nil:
				yield(encoded{}, err)
				return
			default:
				heap.Fix(&open, 0)
			}
		}
	}
}
