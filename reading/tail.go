package reading

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

const (
	// pollEvery is how often the files are looked at.
	pollEvery = 200 * time.Millisecond
	// settleTime is how long backups are looked for after another file has taken a path.
	settleTime = 5 * time.Second
	// lingerTime is how long a file is read on after it has left its path: its writer may not
	// know yet.
	lingerTime = time.Minute
)

// Follow yields what stands in the files, and then what is appended.
func (s *files) Follow(ctx context.Context, q *Query) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		reported := map[*input]bool{} // in which something may be to be reported
		for b, err := range scanned(ctx, newJudge(q, s.name), s.followAll) {
			if err != nil {
				return // ctx has ended
			}
			for r := range s.taken(b, q) {
				if !yield(r, nil) {
					return
				}
			}
			if err := errors.Join(b.found.err, b.err); err != nil && !yield(nil, &Failed{Source: s.name, Err: err}) {
				return
			}
			if b.in != nil {
				reported[b.in] = true
			}
			if !b.paused {
				continue
			}
			for in := range reported {
				if in.foreign.Count >= 2*in.told && !in.report(yield) {
					return
				}
			}
			clear(reported)
		}
	}
}

// followAll sends what stands in the files, and then what is appended, until the context ends.
func (s *files) followAll(f *feed) {
	t := &tails{feed: f}
	defer t.close()
	var streams []*stdinTail
	for _, path := range s.paths {
		if path == standardInput {
			in, stream := openStandardInput(f.ctx, s.stdin, false)
			streams = append(streams, &stdinTail{in: in, stream: stream})
		}
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		streams = slices.DeleteFunc(streams, func(st *stdinTail) bool { return st.poll(f) })
		for _, path := range s.paths {
			if path != standardInput {
				t.poll(path)
			}
		}
		t.linger()
		if !f.send(&block{paused: true}) || len(streams)+len(t.watched) == 0 {
			return // all that there was to read was the standard input
		}
		select {
		case <-ticker.C:
		case <-f.ctx.Done():
			return
		}
	}
}

// stdinTail follows the standard input.
type stdinTail struct {
	in     *input
	stream *standardInputStream
	cutter cutter
}

// poll reports that it has ended.
func (st *stdinTail) poll(f *feed) (ended bool) {
	err := f.read(st.in, &st.cutter)
	if err == nil || !st.stream.ended {
		return false
	}
	f.end(st.in, &st.cutter)
	if !errors.Is(err, io.EOF) {
		f.send(&block{in: st.in, err: err})
	}
	return true
}

// tails are the files that are followed.
type tails struct {
	feed    *feed
	watched []*watched
	old     []*tail // that have left their paths
	// histories are of all files that were read. By them, a file is known when it comes up
	// packed, or as a copy.
	histories []*history
}

// opened returns the tail of the file at a place. As long as it is open, no other file can
// have that place.
func (t *tails) opened(p *disk.Place) *tail {
	for _, w := range t.watched {
		if w.tail != nil && p.Is(&w.tail.in.file.place) {
			return w.tail
		}
	}
	for _, old := range t.old {
		if p.Is(&old.in.file.place) {
			return old
		}
	}
	return nil
}

// readBackups reads the backups of a log that were not dealt with.
func (t *tails) readBackups(w *watched) error {
	paths, err := backupsOf(w.path)
	for _, path := range paths {
		if w.backups[path] {
			continue
		}
		in, failed := openBackup(path)
		switch {
		case errors.Is(failed, fs.ErrNotExist):
			continue
		case failed != nil:
			err = errors.Join(err, failed)
		case t.opened(&in.file.place) != nil:
			in.close()
		default:
			err = errors.Join(err, t.readWhole(in))
		}
		w.backups[path] = true
		w.changed = time.Now()
	}
	return err
}

// readWhole reads a file that is not read on.
func (t *tails) readWhole(in *input) error {
	tl, err := t.begin(in)
	if err != nil {
		return err
	}
	defer t.end(tl)
	return t.readOn(tl)
}

// linger reads on in the files that have left their paths.
func (t *tails) linger() {
	t.old = slices.DeleteFunc(t.old, func(tl *tail) bool {
		err := t.readOn(tl)
		if err != nil {
			t.feed.send(&block{in: tl.in, err: err})
		}
		done := err != nil || time.Since(tl.left) > lingerTime
		if done {
			t.end(tl)
		}
		return done
	})
}

// end sends what is left of a file, and closes it.
func (t *tails) end(tl *tail) {
	t.feed.end(tl.in, &tl.cutter)
	tl.in.close()
}

// close closes all files. The context has ended, or nothing is open.
func (t *tails) close() {
	for _, tl := range t.old {
		tl.in.close()
	}
	for _, w := range t.watched {
		if w.tail != nil {
			w.tail.in.close()
		}
	}
}
