package config

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// handoverTimeout bounds how long writes wait while a sink is closed and opened
	// with other keys. A sink that cannot hand on what it holds gets handoverClosing of that.
	handoverTimeout = 10 * time.Second
	handoverClosing = 5 * time.Second

	// firstRestore and lastRestore are the first and the longest pause between two tries
	// to open sinks that a failed hand-over has closed.
	firstRestore = 500 * time.Millisecond
	lastRestore  = 10 * time.Second
)

var errAway = errors.New("closed by a hand-over that failed, and is tried again until it opens")

// leaving returns the sinks of g that f does not keep as they are.
func (g *generation) leaving(f *File) []*opened {
	return slices.DeleteFunc(g.opened(), func(o *opened) bool {
		return slices.Contains(f.order, o.def.name) && g.unchanged(f.sinks[o.def.name]) == o
	})
}

// needed returns the resources of the sinks of f that g does not have.
func (g *generation) needed(f *File) (resources []string) {
	for _, name := range f.order {
		if def := f.sinks[name]; g.unchanged(def) == nil {
			resources = append(resources, def.resources()...)
		}
	}
	return resources
}

// handOver closes the leaving sinks, and then opens those of f, while writes wait. When
// f cannot be opened, it opens the old sinks again, now or later.
func (t *Trail) handOver(ctx context.Context, f *File, leaving []*opened) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	old := t.current.Load()
	next := newGeneration(old.file, old.sinks) // for when the hand-over fails
	defer func() { t.takeOver(next) }()
	if err := old.writing.Close(ctx); err != nil {
		return fmt.Errorf("%s: writes under way did not end, and a changed sink cannot be opened beside the old one: %w", f.name, err)
	}
	for _, o := range leaving {
		o.closed.Store(true)
	}
	closing, cancelClosing := context.WithTimeout(ctx, handoverClosing)
	defer cancelClosing()
	if err := closeAll(closing, leaving); err != nil {
		t.deps.Logger.Error("audit configuration: a sink that is replaced did not close cleanly", "error", err.Error())
	}
	opened, err := openFile(ctx, f, old, t.deps, true)
	if err == nil {
		next = opened
		return nil
	}
	again, cancelAgain := context.WithTimeout(t.running, handoverTimeout)
	defer cancelAgain()
	restored, restoreErr := openFile(again, old.file, old, t.deps, false)
	if restoreErr != nil {
		// next goes on without the closed sinks. Writes to them fail with
		// auditing.ClassTransient until keepRestoring has opened them.
		if !t.restoring {
			t.restoring = true
			go t.keepRestoring()
		}
		return errors.Join(err, fmt.Errorf("and the configuration before it could not be restored: %w: %w", restoreErr, errAway))
	}
	next = restored
	return err
}

func (t *Trail) keepRestoring() {
	for pause := firstRestore; ; pause = min(2*pause, lastRestore) {
		select {
		case <-time.After(pause):
		case <-t.running.Done():
			return
		}
		if t.restore() {
			return
		}
	}
}

// restore tries once to open the closed sinks. It reports whether all are open.
func (t *Trail) restore() bool {
	ctx, cancel := context.WithTimeout(t.running, handoverTimeout)
	defer cancel()
	if t.lock(ctx) != nil {
		return false
	}
	defer t.unlock()
	g := t.current.Load()
	isClosed := func(o *opened) bool { return o.closed.Load() }
	if !slices.ContainsFunc(g.opened(), isClosed) || t.closed.Load() { // a reload or Close was quicker
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
