package config

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// closeTimeout bounds the closing of sinks that a new file does not use.
const closeTimeout = 30 * time.Second

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
	t.metrics.count(err)
	return err
}

// exchange opens the file whose content is data, and lets it take over. It runs within
// t.reloading.
func (t *Trail) exchange(ctx context.Context, data []byte) error {
	file, err := t.parse(ctx, data)
	if err != nil {
		return err
	}
	old := t.current.Load()
	needed := old.needed(file)
	if len(needed) > 0 && t.retired != nil {
		select {
		case <-t.retired: // until then, a sink of an earlier file may hold what is needed
		case <-ctx.Done():
			return fmt.Errorf("%s: a sink of an earlier file is still being closed: %w", file.name, ctx.Err())
		}
	}
	leaving := old.leaving(file)
	if slices.ContainsFunc(leaving, func(o *opened) bool { return o.def.holds(needed) }) {
		return t.handOver(ctx, file, leaving)
	}
	next, err := openFile(ctx, file, old, t.deps, true)
	if err == nil {
		t.takeOver(next)
	}
	return err
}

// reopen lets every open sink that has a method Reopen, such as a log file, use what stands
// at its path now. It runs within t.reloading.
func (t *Trail) reopen(ctx context.Context) error {
	var errs []error
	for _, o := range t.current.Load().opened() {
		r, ok := o.sink.(interface{ Reopen(context.Context) error })
		if !ok || o.closed.Load() {
			continue
		}
		if err := r.Reopen(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: sinks.%s: %w", t.name(), o.def.name, err))
		}
	}
	return errors.Join(errs...)
}

// takeOver sends later writes to next. It closes the sinks that only the old generation
// uses, after the writes under way in it. Earlier generations are closed first, because
// their writes may use the same sinks.
func (t *Trail) takeOver(next *generation) {
	old := t.current.Swap(next)
	close(old.over)
	before, gone := t.retired, make(chan struct{})
	t.retired = gone
	free := slices.DeleteFunc(old.opened(), func(o *opened) bool { return o.closed.Load() || next.sinks[o.def.name] == o })
	go func() {
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
	}()
}
