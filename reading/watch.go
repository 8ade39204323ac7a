package reading

import (
	"errors"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

// watched is a path that is looked at.
type watched struct {
	path, pattern string // the pattern is that of the source
	tail          *tail  // of the file there; nil for none
	size          int64  // of the file there, at the last look
	// packed is a packed file there that was read when it had the size readAt.
	packed  *disk.Place
	readAt  int64
	backups map[string]bool // that were dealt with, by their paths; nil when none belong to it
	changed time.Time       // when another file was last found there
	problem string          // that was reported
}

// poll looks at the files that a path of the source stands for.
func (t *tails) poll(pattern string) {
	paths, err := expand(pattern)
	if err != nil {
		t.report(t.watch(pattern, pattern), err)
	}
	t.watched = slices.DeleteFunc(t.watched, func(w *watched) bool {
		gone := err == nil && w.pattern == pattern && !slices.Contains(paths, w.path)
		if gone {
			t.leave(w)
		}
		return gone
	})
	for _, path := range paths {
		if t.feed.ctx.Err() != nil {
			return
		}
		w := t.watch(path, pattern)
		t.report(w, t.look(w))
	}
}

func (t *tails) watch(path, pattern string) *watched {
	i := slices.IndexFunc(t.watched, func(w *watched) bool { return w.path == path })
	if i >= 0 {
		return t.watched[i]
	}
	w := &watched{path: path, pattern: pattern, size: -1, readAt: -1}
	if path == pattern {
		w.backups = map[string]bool{}
	}
	t.watched = append(t.watched, w)
	return w
}

// report sends an error of a path, once.
func (t *tails) report(w *watched, err error) {
	if err != nil && err.Error() != w.problem {
		t.feed.send(&block{err: err})
	}
	w.problem = ""
	if err != nil {
		w.problem = err.Error()
	}
}

// look reads what is new at a path.
func (t *tails) look(w *watched) error {
	var err error
	if w.tail != nil {
		err = t.readOn(w.tail)
	}
	var now disk.Place
	if err := now.Find(w.path); err != nil {
		t.leave(w)
		return err
	}
	if w.tail != nil && !now.Is(&w.tail.in.file.place) {
		t.leave(w)
	}
	if w.backups != nil && (w.changed.IsZero() || time.Since(w.changed) < settleTime) {
		err = errors.Join(err, t.readBackups(w))
	}
	changing := now.Size() != w.size
	w.size = now.Size()
	switch {
	case w.tail != nil:
	case isCompressed(w.path) && changing: // it may be half written
	case isCompressed(w.path) && w.packed != nil && now.Is(w.packed) && w.readAt == w.size: // it was read
	default:
		err = errors.Join(err, t.take(w))
	}
	return err
}

// leave is called when the file of a path does not stand there any more.
func (t *tails) leave(w *watched) {
	if w.tail == nil {
		return
	}
	if !slices.ContainsFunc(t.watched, func(other *watched) bool { return other != w && other.tail == w.tail }) {
		w.tail.left = time.Now()
		t.old = append(t.old, w.tail)
	}
	w.tail = nil
	w.changed = time.Now()
}

// take begins with the file that stands at a path.
func (t *tails) take(w *watched) error {
	w.changed = time.Now()
	in, err := open(w.path)
	if err != nil {
		return err
	}
	if known := t.opened(&in.file.place); known != nil { // it came from another path
		in.close()
		w.tail, known.left = known, time.Time{}
		t.old = slices.DeleteFunc(t.old, func(old *tail) bool { return old == known })
		return nil
	}
	place := in.file.place
	tl, err := t.begin(in)
	if err == nil {
		err = t.readOn(tl)
		if err == nil && !isCompressed(w.path) {
			w.tail = tl
		} else {
			t.end(tl)
		}
	}
	w.changed, w.packed, w.readAt = time.Now(), &place, place.Size()
	return err
}
