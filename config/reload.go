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
	if t.closed.Load() {
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

// leaving returns the sinks of g that f does not go on with.
func (g *generation) leaving(f *File) (leaving []*opened) {
	for _, o := range g.opened {
		if def := f.sinks[o.def.name]; def == nil || g.unchanged(def) != o || !slices.Contains(f.order, def.name) {
			leaving = append(leaving, o)
		}
	}
	return leaving
}

// needs reports that a sink of f has to have for itself what one of these sinks has.
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

// handOver closes the sinks that are leaving before it opens those of f, while writes
// wait. When f cannot be opened, the old sinks are opened again.
func (t *Trail) handOver(ctx context.Context, f *File, leaving []*opened) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTimeout)
	defer cancel()
	old := t.current.Load()
	next := newGeneration(old.file, old.opened...) // as before, should nothing come of it
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
	again, cancelAgain := context.WithTimeout(context.WithoutCancel(ctx), handoverTimeout)
	defer cancelAgain()
	restored, restoreErr := openFile(again, old.file, old, t.deps, false)
	if restoreErr != nil {
		return errors.Join(err, fmt.Errorf("and the configuration before it could not be restored: %w", restoreErr))
	}
	next = restored
	return err
}

// takeOver lets writes that begin from now on go to next. What only the old generation
// uses is closed once the writes under way in it have ended, and once those before it,
// which may use the same sinks, have been dealt with.
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
		_ = old.writing.Close(t.life) // it ends when the Close of the trail gives up
		ctx, cancel := context.WithTimeout(t.life, closeTimeout)
		defer cancel()
		if err := closeAll(ctx, free); err != nil {
			t.deps.Logger.Error("audit configuration: a sink that is no longer used did not close cleanly", "error", err.Error())
		}
	})
}

// awaitResources waits until the sinks of earlier files are closed, where one of them
// may still have what a new sink of f must have for itself.
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
