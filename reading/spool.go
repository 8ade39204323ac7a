package reading

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/recordlog"
)

// The folders of a spool that have letters: events that the next sink refused for good, and
// those on their way back into the queue.
const (
	deadDir      = "dead"
	requeueDir   = "requeue"
	letterSuffix = ".json"
)

// Spool returns the source of the events that wait in the directory of a spool
// (sinks/spool), and of its dead letters. Record.At says which they are: "segment 12,
// waiting", "dead letter ID" or "requeued letter ID".
//
// Read only reads, and locks nothing: a sink may use the directory. Events that are stored or
// delivered meanwhile are found or not. Those of the last second may have been delivered, or
// be found as a dead letter and as waiting.
// Damage, and letters that cannot be read, make a *Failed behind the other events. What the
// spool keeps in its folder damaged is not read.
func Spool(name, dir string) Source { return &spool{name: name, dir: dir} }

type spool struct{ name, dir string }

func (s *spool) Name() string { return s.name }

// Read reads the whole directory, one segment at a time, and sorts the events that q takes.
func (s *spool) Read(ctx context.Context, q *Query) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		sorter := Sorter{Source: s.name}
		defer sorter.Close()
		// err is one that ends the reading, and damage what does not.
		var err error
		add := func(ae *v1alpha1.AuditEvent, at string) bool {
			r := NewRecord(ae, s.name, at)
			takes := false
			if err = ctx.Err(); err == nil {
				takes, err = q.Takes(r)
			}
			if err == nil && takes {
				err = sorter.Add(r)
			}
			return err == nil
		}
		damage := s.waiting(add)
		for _, folder := range []struct{ name, of string }{{deadDir, "dead letter "}, {requeueDir, "requeued letter "}} {
			if err == nil {
				damage = errors.Join(damage, s.letters(folder.name, folder.of, add))
			}
		}
		if err != nil {
			yield(nil, &Failed{Source: s.name, Err: err})
			return
		}
		for r, err := range sorter.Sorted() {
			if err != nil {
				damage = errors.Join(damage, err)
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if damage != nil {
			yield(nil, &Failed{Source: s.name, Err: damage})
		}
	}
}

// waiting adds the events in the segments.
func (s *spool) waiting(add func(*v1alpha1.AuditEvent, string) bool) error {
	var errs []error
	err := recordlog.Waiting(s.dir, func(segment uint64, record recordlog.Step) bool {
		ae, err := eventjson.Parse(record.Payload)
		if err != nil {
			errs = append(errs, fmt.Errorf("segment %d: the record at offset %d is no event: %w", segment, record.Start, err))
			return true
		}
		return add(ae, fmt.Sprintf("segment %d, waiting", segment))
	})
	return errors.Join(append(errs, err)...)
}

// letters adds the events of the letters in a folder.
func (s *spool) letters(folder, of string, add func(*v1alpha1.AuditEvent, string) bool) error {
	dir := filepath.Join(s.dir, folder)
	files, err := os.ReadDir(dir)
	errs := []error{err}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), letterSuffix)
		if !ok {
			continue
		}
		text, err := disk.ReadFile(filepath.Join(dir, f.Name()), disk.All)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was taken meanwhile
		}
		letter := struct {
			Event *v1alpha1.AuditEvent `json:"event"`
		}{}
		if err == nil {
			err = json.Unmarshal(text, &letter)
		}
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s%s: %w", of, id, err))
		case letter.Event == nil:
			errs = append(errs, fmt.Errorf("%s%s has no event", of, id))
		case !add(letter.Event, of+id):
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
