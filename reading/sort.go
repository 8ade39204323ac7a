package reading

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/paddock-dev/audit/internal/eventjson"
)

const (
	// maxSorting bounds the bytes of records that a Sorter holds in memory.
	maxSorting = 1 << 20
	// mergeAt is how many runs of one level become one. It bounds the runs that are read
	// at the same time, each through a buffer.
	mergeAt = 64
	// runBuffer is the size of that buffer, in bytes.
	runBuffer = 16 << 10
)

// Sorter puts records into the order of their keys. It holds about a MiB of them in
// memory, and the rest in a temporary file. Make one with a literal; it is not safe for concurrent
// use.
type Sorter struct {
	// Source is the name of the records' source.
	Source string

	held []encoded
	size int
	file *os.File
	runs []run
	end  int64  // of the file
	data []byte // of the record that was read last
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
	err := s.write(0, streams{s.ordered(0)})
	for n := len(s.runs) - mergeAt; err == nil && n >= 0 && s.runs[n].level == s.runs[len(s.runs)-1].level; n = len(s.runs) - mergeAt {
		merging := s.readers(s.runs[n:])
		level := s.runs[n].level + 1
		s.runs = s.runs[:n]
		err = s.write(level, merging)
	}
	return err
}

// write appends the records of streams to the file as a run.
func (s *Sorter) write(level int, records streams) error {
	to := &counter{to: io.NewOffsetWriter(s.file, s.end)}
	w := bufio.NewWriterSize(to, 64<<10)
	for e, err := range records.merged() {
		if err != nil {
			return err
		}
		_, _ = w.Write(e.header()) // Flush returns the error
		_, _ = w.Write(e.data)
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

// Sorted yields all records that were added, in order; equal ones in the order in which
// they were added. It may be called once.
func (s *Sorter) Sorted() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		defer s.Close()
		all := s.readers(s.runs)
		for e, err := range append(all, s.ordered(len(all))).merged() {
			var r *Record
			if err == nil {
				r, err = s.record(e)
			}
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

func (s *Sorter) record(e encoded) (*Record, error) {
	ae, err := eventjson.Parse(e.data[e.at:])
	if err != nil {
		return nil, fmt.Errorf("reading back a sorted event: %w", err)
	}
	return NewRecord(ae, s.Source, string(e.data[:e.at])), nil
}
