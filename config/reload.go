package config

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// handoverTimeout bounds how long writes wait while a sink that allows no
	// second one beside it is closed and opened anew.
	handoverTimeout = 10 * time.Second
	// closeTimeout bounds the closing of sinks that a new file has no use for.
	closeTimeout = 30 * time.Second
)

// Reload reads the file again. A good one takes over: writes that begin from then
// on go where it says, those under way end where they began, and sinks that it
// has no use for are closed once they have. A sink whose keys, and whose chain,
// are as before goes on as it is. With a bad file, or a sink that cannot be
// opened, the old configuration goes on and the error says why.
//
// A sink that allows no second one beside it, such as a log file, is closed before
// it is opened with other keys; writes wait for that, at most 10 s, within their
// own timeouts.
func (t *Trail) Reload(ctx context.Context) error {
	data, err := t.read()
	if err != nil {
		t.metrics.bad()
		return err
	}
	return t.reload(ctx, data)
}

func (t *Trail) reload(ctx context.Context, data []byte) (err error) {
	t.reloading.Lock()
	defer t.reloading.Unlock()
	t.mu.RLock()
	closed := t.closed
	t.mu.RUnlock()
	if closed {
		return errTrailClosed
	}
	defer func() {
		if err != nil {
			t.metrics.bad()
		} else {
			t.metrics.good()
		}
	}()
	file, err := Parse(t.name(), data, t.types)
	if err != nil {
		return err
	}
	old := t.current
	if err := t.retiredResources(ctx, file); err != nil {
		return err
	}
	if takesOver(file, old) {
		return t.handOver(ctx, file, old)
	}
	next, err := openFile(ctx, file, old, t.deps, true)
	if err != nil {
		return err
	}
	t.warn(file)
	t.mu.Lock()
	t.current = next
	t.mu.Unlock()
	t.retireLater(old)
	return nil
}

// takesOver reports that a sink of f has to have for itself what a sink of old
// has, and is not that sink.
func takesOver(f *File, old *generation) bool {
	held := map[string]bool{}
	for _, o := range old.opened {
		for _, r := range o.def.resources() {
			held[r] = true
		}
	}
	for _, name := range f.order {
		def := f.sinks[name]
		isHeld := func(resource string) bool { return held[resource] }
		if old.unchanged(def) == nil && slices.ContainsFunc(def.resources(), isHeld) {
			return true
		}
	}
	return false
}

// handOver closes the sinks of old that f has no use for before it opens those of
// f, while writes wait. When f cannot be opened, the old sinks are opened again.
func (t *Trail) handOver(ctx context.Context, f *File, old *generation) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	resume := make(chan struct{})
	t.mu.Lock()
	t.resume = resume
	t.mu.Unlock()
	next := old
	defer func() {
		t.mu.Lock()
		t.current, t.resume = next, nil
		t.mu.Unlock()
		close(resume)
	}()
	if err := old.writing.wait(ctx); err != nil {
		return fmt.Errorf("%s: writes under way did not end, and a changed sink cannot be opened beside the old one: %w", f.name, err)
	}
	kept, leaving := old.split(f)
	for _, o := range leaving {
		o.closed = true
	}
	if err := closeAll(ctx, leaving); err != nil {
		t.deps.Logger.Error("audit configuration: a sink that is replaced did not close cleanly", "error", err.Error())
	}
	opened, err := openFile(ctx, f, kept, t.deps, true)
	if err == nil {
		t.warn(f)
		next = opened
		old.release()
		return nil
	}
	again, cancelAgain := context.WithTimeout(context.WithoutCancel(ctx), handoverTimeout)
	defer cancelAgain()
	restored, restoreErr := openFile(again, old.file, kept, t.deps, false)
	if restoreErr != nil {
		return errors.Join(err, fmt.Errorf("and the configuration before it could not be restored: %w", restoreErr))
	}
	next = restored
	old.release()
	return err
}

// split returns the part of g that f takes over, and the sinks that it does not.
func (g *generation) split(f *File) (kept *generation, leaving []*opened) {
	kept = &generation{file: g.file, sinks: map[string]*opened{}}
	for _, o := range g.opened {
		if def := f.sinks[o.def.name]; def != nil && g.unchanged(def) == o && slices.Contains(f.order, def.name) {
			kept.sinks[o.def.name] = o
			kept.opened = append(kept.opened, o)
		} else {
			leaving = append(leaving, o)
		}
	}
	return kept, leaving
}

// release gives the sinks of g back and returns those that no generation holds.
func (g *generation) release() (free []*opened) {
	for _, o := range g.opened {
		if o.gens--; o.gens == 0 {
			free = append(free, o)
		}
	}
	return free
}

// retirement is the end of a generation.
type retirement struct{ done chan struct{} }

// retireLater closes what only old held, once the writes under way have ended:
// its own and, since they may use the same sinks, those of the ones before it.
func (t *Trail) retireLater(old *generation) {
	free := old.release()
	r := &retirement{done: make(chan struct{})}
	before := t.retirement
	t.retirement = r
	t.retiring.Go(func() {
		defer close(r.done)
		if before != nil {
			<-before.done
		}
		_ = old.writing.wait(t.life) // it ends when Close gives up
		ctx, cancel := context.WithTimeout(t.life, closeTimeout)
		defer cancel()
		if err := closeAll(ctx, free); err != nil {
			t.deps.Logger.Error("audit configuration: a sink that is no longer used did not close cleanly", "error", err.Error())
		}
	})
}

// retiredResources waits until a sink that is being closed has let go of what a
// sink of f must have for itself.
func (t *Trail) retiredResources(ctx context.Context, f *File) error {
	if t.retirement == nil {
		return nil
	}
	for _, name := range f.order {
		def := f.sinks[name]
		if len(def.resources()) == 0 || t.current.unchanged(def) != nil {
			continue
		}
		select {
		case <-t.retirement.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s: a sink of an earlier file is still being closed: %w", f.name, ctx.Err())
		}
	}
	return nil
}
