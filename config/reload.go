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
	// with other keys.
	handoverTimeout = 10 * time.Second
	// closeTimeout bounds the closing of sinks that a new file does not use.
	closeTimeout = 30 * time.Second
)

// Reload reads the file again. A good file takes over. Later writes go where it says,
// and writes under way end in the sinks in which they began. A sink that the new file
// does not use is closed after its last write. A sink stays open when its keys, its
// chain and what is in its kubeconfig are the same as before. When the file is bad or a
// sink cannot be opened, the old configuration goes on and the error says why. When ctx ends, or Close is called,
// Reload returns soon, and the old configuration goes on.
//
// A sink that must have something for itself, such as a log file, is closed before it
// is opened with other keys. Writes wait for that at most 20 s, and no longer than
// their own timeouts. When neither the new sink nor the old one can be opened, the
// trail tries the old one again after 0.5 s at first and every 10 s at last. Meanwhile,
// writes to it fail with auditing.ClassTransient.
//
// Reload also makes log files that another program has renamed open again, even when the
// file of the configuration is bad. Its error then says which could not be opened.
func (t *Trail) Reload(ctx context.Context) error {
	data, err := t.read(ctx)
	return t.reload(ctx, data, err)
}

// lock waits until no other Reload and no Close is under way.
func (t *Trail) lock(ctx context.Context) error {
	select {
	case t.reloading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("config: another reload of %s is under way: %w", t.name(), ctx.Err())
	}
}

func (t *Trail) unlock() { <-t.reloading }

// reload lets the file take over whose content is data, unless err says that it could
// not be read.
func (t *Trail) reload(ctx context.Context, data []byte, err error) error {
	if err := t.lock(ctx); err != nil {
		return err
	}
	defer t.unlock()
	if t.closed.Load() {
		return errTrailClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.running, cancel)()
	if err == nil {
		err = t.exchange(ctx, data)
	}
	err = errors.Join(err, t.reopen(ctx)) // also when the new file is bad
	if err != nil {
		t.metrics.bad()
		return err
	}
	t.metrics.good()
	return nil
}

// exchange opens the file whose content is data, and lets it take over. It runs within
// t.reloading.
func (t *Trail) exchange(ctx context.Context, data []byte) error {
	file, err := t.parse(ctx, data)
	if err != nil {
		return err
	}
	if err := t.awaitResources(ctx, file); err != nil {
		return err
	}
	old := t.current.Load()
	if leaving := old.leaving(file); file.needs(leaving) {
		return t.handOver(ctx, file, leaving)
	}
	next, err := openFile(ctx, file, old, t.deps, true)
	if err != nil {
		return err
	}
	t.warn(file)
	t.takeOver(next)
	return nil
}

// reopen lets every open sink that has a method Reopen, such as a log file, use what stands
// at its path now. It runs within t.reloading.
func (t *Trail) reopen(ctx context.Context) error {
	var errs []error
	for _, o := range t.current.Load().opened {
		r, ok := o.sink.(interface{ Reopen(context.Context) error })
		if !ok || o.closed {
			continue
		}
		if err := r.Reopen(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: sinks.%s: %w", t.name(), o.def.name, err))
		}
	}
	return errors.Join(errs...)
}

// leaving returns the sinks of g that f does not keep as they are.
func (g *generation) leaving(f *File) (leaving []*opened) {
	for _, o := range g.opened {
		if def := f.sinks[o.def.name]; def == nil || g.unchanged(def) != o || !slices.Contains(f.order, def.name) {
			leaving = append(leaving, o)
		}
	}
	return leaving
}

// needs reports whether a sink of f needs a resource that one of these sinks holds.
func (f *File) needs(leaving []*opened) bool {
	held := map[string]bool{}
	for _, o := range leaving {
		for _, r := range o.def.resources() {
			held[r] = true
		}
	}
	return slices.ContainsFunc(f.order, func(name string) bool {
		return slices.ContainsFunc(f.sinks[name].resources(), func(r string) bool { return held[r] })
	})
}

// handOver closes the leaving sinks, and then opens those of f, while writes wait. When
// f cannot be opened, it opens the old sinks again, now or later.
func (t *Trail) handOver(ctx context.Context, f *File, leaving []*opened) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	old := t.current.Load()
	next := newGeneration(old.file, old.opened...) // for when the hand-over fails
	defer func() { t.takeOver(next) }()
	if err := old.writing.Close(ctx); err != nil {
		return fmt.Errorf("%s: writes under way did not end, and a changed sink cannot be opened beside the old one: %w", f.name, err)
	}
	for _, o := range leaving {
		o.closed = true
	}
	if err := closeAll(ctx, leaving); err != nil {
		t.deps.Logger.Error("audit configuration: a sink that is replaced did not close cleanly", "error", err.Error())
	}
	opened, err := openFile(ctx, f, old, t.deps, true)
	if err == nil {
		t.warn(f)
		next = opened
		return nil
	}
	again, cancelAgain := context.WithTimeout(t.running, handoverTimeout)
	defer cancelAgain()
	restored, restoreErr := openFile(again, old.file, old, t.deps, false)
	if restoreErr != nil {
		next = t.lose(old)
		return errors.Join(err, fmt.Errorf("and the configuration before it could not be restored: %w: %w", restoreErr, errAway))
	}
	next = restored
	return err
}

// takeOver sends later writes to next. It closes the sinks that only the old generation
// uses, after the writes under way in it. Earlier generations are closed first, because
// their writes may use the same sinks.
func (t *Trail) takeOver(next *generation) {
	old := t.current.Swap(next)
	close(old.over)
	before, gone := t.retired, make(chan struct{})
	t.retired = gone
	free := slices.DeleteFunc(slices.Clone(old.opened), func(o *opened) bool { return o.closed || next.sinks[o.def.name] == o })
	t.retiring.Go(func() {
		defer close(gone)
		if before != nil {
			<-before
		}
		_ = old.writing.Close(t.life) // Close of the trail ends it at the latest
		ctx, cancel := context.WithTimeout(t.life, closeTimeout)
		defer cancel()
		if err := closeAll(ctx, free); err != nil {
			t.deps.Logger.Error("audit configuration: a sink that is no longer used did not close cleanly", "error", err.Error())
		}
	})
}

// awaitResources waits until the sinks of earlier files are closed, because one of them
// may still hold a resource that a new sink of f needs.
func (t *Trail) awaitResources(ctx context.Context, f *File) error {
	current := t.current.Load()
	if t.retired == nil || !slices.ContainsFunc(f.order, func(name string) bool {
		return len(f.sinks[name].resources()) > 0 && current.unchanged(f.sinks[name]) == nil
	}) {
		return nil
	}
	select {
	case <-t.retired:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: a sink of an earlier file is still being closed: %w", f.name, ctx.Err())
	}
}
