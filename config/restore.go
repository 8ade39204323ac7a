package config

import (
	"context"
	"errors"
	"time"
)

// How long the trail waits between two tries to open sinks that a failed hand-over has
// closed: at first, and at most.
const (
	firstRestore = 500 * time.Millisecond
	lastRestore  = 10 * time.Second
)

var errAway = errors.New("closed by a hand-over that failed, and is tried again until it opens")

// lose lets the old configuration go on without the sinks that a hand-over has closed
// and could not open again, until keepRestoring has opened them. Writes to them fail
// with auditing.ClassTransient. It runs within t.reloading.
func (t *Trail) lose(old *generation) *generation {
	next := newGeneration(old.file, old.opened...)
	next.lost = map[*opened]bool{}
	for _, o := range old.opened {
		if o.closed {
			next.lost[o] = true
		}
	}
	if !t.restoring {
		t.restoring = true
		go t.keepRestoring()
	}
	return next
}

func (t *Trail) keepRestoring() {
	for pause := firstRestore; ; pause = min(2*pause, lastRestore) {
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-t.running.Done():
			wait.Stop()
			return
		}
		if t.restore() {
			return
		}
	}
}

// restore tries once to open what is lost. It reports whether nothing is lost any more.
func (t *Trail) restore() bool {
	ctx, cancel := context.WithTimeout(t.running, handoverTimeout)
	defer cancel()
	if t.lock(ctx) != nil {
		return false
	}
	defer t.unlock()
	g := t.current.Load()
	if len(g.lost) == 0 || t.closed.Load() { // a reload or Close was quicker
		t.restoring = false
		return true
	}
	restored, err := openFile(ctx, g.file, g, t.deps, false)
	if err != nil {
		t.deps.Logger.Error("audit configuration: a sink that a failed hand-over closed cannot be opened yet", "error", err.Error())
		return false
	}
	t.restoring = false
	t.takeOver(restored)
	t.deps.Logger.Info("audit configuration: what a failed hand-over closed is open again", "chains", restored.String())
	return true
}
