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
	"os"
	"slices"

	"github.com/paddock-dev/audit/internal/eventjson"
)

const (
	// maxSorting bounds the bytes of records that a Sorter holds in memory.
	maxSorting = 4 << 20
	// mergeAt is how many runs of one level become one. It bounds the runs that are read
	// at the same time, each through a buffer.
	mergeAt = 64
)

// Sorter puts records into the order of their keys. It holds a few MiB of them in memory,
// and the rest in a temporary file. Make one with a literal; it is not safe for concurrent
// use.
type Sorter struct {
	// Source is the name of the records' source.
	Source string

	held []encoded
	size int
	file *os.File
	runs []run
	end  int64 // of the file
}

// encoded is a record in memory.
type encoded struct {
	key  Key
	data []byte // at, and the event's JSON
	at   int    // the length of at
}

// run is a stretch of the file whose records are in order. One of level n was made of
// mergeAt of level n-1.
type run struct {
	from, to int64
	level    int
}

// Add adds a record.
func (s *Sorter) Add(r *Record) error {
	data := eventjson.Append([]byte(r.At), r.Event)
	s.held = append(s.held, encoded{r.Key(), data, len(r.At)})
	s.size += len(data) + 128
	if s.size < maxSorting {
		return nil
	}
	return s.spill()
}

// spill writes what is held as a run of the file, and makes one of the runs of a level
// that has enough of them.
func (s *Sorter) spill() error {
	if s.file == nil {
		file, err := os.CreateTemp("", "audit-sort-")
		if err != nil {
			return fmt.Errorf("making a file to sort events in: %w", err)
		}
		s.file = file
		_ = os.Remove(file.Name()) // where that works, nothing is left of a program that is killed
	}
	s.order()
	err := s.write(0, s.take())
	for n := len(s.runs) - mergeAt; err == nil && n >= 0 && s.runs[n].level == s.runs[len(s.runs)-1].level; n = len(s.runs) - mergeAt {
		merging := s.readers(s.runs[n:])
		level := s.runs[n].level + 1
		s.runs = s.runs[:n]
		err = s.write(level, encodings(merging.merged()))
	}
	return err
}

// write appends records, which are in order, to the file as a run.
func (s *Sorter) write(level int, records iter.Seq2[encoded, error]) error {
	to := &counter{to: io.NewOffsetWriter(s.file, s.end)}
	w := bufio.NewWriterSize(to, 64<<10)
	for r, err := range records {
		if err != nil {
			return err
		}
		header := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(r.at)), uint64(len(r.data)))
		_, _ = w.Write(header)
		_, _ = w.Write(r.data) // Flush returns the error
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing to a file to sort events in: %w", err)
	}
	s.runs = append(s.runs, run{s.end, s.end + to.n, level})
	s.end += to.n
	return nil
}

// counter counts what is written.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// encodings yields records as they are written. Each is valid until the next.
func encodings(records iter.Seq2[*Record, error]) iter.Seq2[encoded, error] {
	return func(yield func(encoded, error) bool) {
		var data []byte
		for r, err := range records {
			if err == nil {
				data = eventjson.Append(append(data[:0], r.At...), r.Event)
				if !yield(encoded{data: data, at: len(r.At)}, nil) {
					return
				}
			} else if !yield(encoded{}, err) {
				return
			}
		}
	}
}

// take yields what is held, in its order, and lets go of it.
func (s *Sorter) take() iter.Seq2[encoded, error] {
	return func(yield func(encoded, error) bool) {
		held := s.held
		s.held, s.size = nil, 0
		for i := range held {
			e := held[i]
			held[i].data = nil
			if !yield(e, nil) {
				return
			}
		}
	}
}

// drain is take as records.
func (s *Sorter) drain() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for e, err := range s.take() {
			var r *Record
			if err == nil {
				r, err = s.record(e.data, e.at)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s *Sorter) order() {
	slices.SortStableFunc(s.held, func(a, b encoded) int { return a.key.Compare(b.key) })
}

// Sorted yields all records that were added, in order; equal ones in the order in which
// they were added. It may be called once.
func (s *Sorter) Sorted() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		defer s.Close()
		s.order()
		all := s.readers(s.runs)
		last, stop := iter.Pull2(s.drain())
		defer stop()
		all = append(all, &stream{index: len(all), next: func() (*Record, error) {
			r, err, ok := last()
			if !ok {
				return nil, io.EOF
			}
			return r, err
		}})
		for r, err := range all.merged() {
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Close removes the temporary file. Sorted does so itself.
func (s *Sorter) Close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name()) // it is gone already where a file in use can be removed
	s.file = nil
}

func (s *Sorter) record(data []byte, at int) (*Record, error) {
	ae, err := eventjson.Parse(data[at:])
	if err != nil {
		return nil, fmt.Errorf("reading back a sorted event: %w", err)
	}
	return NewRecord(ae, s.Source, string(data[:at])), nil
}

// readers returns the streams of runs.
func (s *Sorter) readers(runs []run) streams {
	all := make(streams, len(runs))
	for i, r := range runs {
		all[i] = &stream{index: i, next: s.reader(r)}
	}
	return all
}

func (s *Sorter) reader(r run) func() (*Record, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), 16<<10)
	var data []byte
	return func() (*Record, error) {
		at, err := binary.ReadUvarint(in)
		if err != nil {
			return nil, err // io.EOF at the end
		}
		n, err := binary.ReadUvarint(in)
		if err == nil {
			data = slices.Grow(data[:0], int(n))[:n]
			_, err = io.ReadFull(in, data)
		}
		if err != nil {
			return nil, fmt.Errorf("reading back a sorted event: %w", err)
		}
		return s.record(data, int(at))
	}
}

// stream is an ordered stream of records and the first one of those that are left.
type stream struct {
	index int
	next  func() (*Record, error) // io.EOF at the end
	head  *Record
}

// streams are a heap by the heads, and by index for equal ones.
type streams []*stream

func (s streams) Len() int      { return len(s) }
func (s streams) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s streams) Less(i, j int) bool {
	return cmp.Or(s[i].head.Key().Compare(s[j].head.Key()), cmp.Compare(s[i].index, s[j].index)) < 0
}
func (s *streams) Push(x any) { *s = append(*s, x.(*stream)) } //nolint:forcetypeassert // only streams are pushed
func (s *streams) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// merged yields the records of all streams in order. An error ends it.
func (s streams) merged() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		var open streams
		for _, st := range s {
			switch head, err := st.next(); {
			case errors.Is(err, io.EOF):
			case err != nil:
				yield(nil, err)
				return
			default:
				st.head = head
				open = append(open, st)
			}
		}
		heap.Init(&open)
		for len(open) > 0 {
			first := open[0]
			r := first.head
			head, err := first.next()
			if err != nil && !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
			if first.head = head; err != nil {
				heap.Pop(&open)
			} else {
				heap.Fix(&open, 0)
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
