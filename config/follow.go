package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file has to stay unchanged before it is read, so that it is
// not read between two steps of writing it.
const settle = 50 * time.Millisecond

// reloadTimeout bounds one reload, including the checks of its destinations.
const reloadTimeout = time.Minute

// follower reads the file again when it changes, and on SIGHUP.
type follower struct {
	trail   *Trail
	watcher *fsnotify.Watcher
	hangup  chan os.Signal
	seen    []byte // what was read last, good or bad; nil when it could not be read
}

// follow starts to follow the file, whose content now is data.
func (t *Trail) follow(data []byte) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("config: following %s: %w", t.path, err)
	}
	f := &follower{trail: t, watcher: watcher, hangup: make(chan os.Signal, 1), seen: data}
	if err := f.watch(); err != nil {
		return errors.Join(fmt.Errorf("config: following %s: %w", t.path, err), watcher.Close())
	}
	signal.Notify(f.hangup, syscall.SIGHUP)
	t.followed.Go(func() {
		defer func() {
			signal.Stop(f.hangup)
			_ = watcher.Close()
		}()
		f.run(t.running)
	})
	return nil
}

// watch watches the directory of the file and, where the file is a symbolic link, also
// the directory of its target. Watching the file alone would miss that it is replaced:
// by the rename of an editor, or by the swapped ..data link of a ConfigMap.
func (f *follower) watch() error {
	dirs := []string{filepath.Dir(f.trail.path)}
	if target, err := filepath.EvalSymlinks(f.trail.path); err == nil {
		dirs = append(dirs, filepath.Dir(target))
	}
	for _, old := range f.watcher.WatchList() {
		if !slices.Contains(dirs, old) {
			_ = f.watcher.Remove(old) // it fails for a directory that was removed
		}
	}
	return errors.Join(f.watcher.Add(dirs[0]), f.watcher.Add(dirs[len(dirs)-1]))
}

func (f *follower) run(ctx context.Context) {
	settled := time.NewTimer(settle) // once at the start: the file may have changed before the watch began
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hangup:
			f.reload(ctx, true)
		case _, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			settled.Reset(settle)
		case err, ok := <-f.watcher.Errors:
			if !ok {
				return
			}
			f.trail.deps.Logger.Error("audit configuration: following the file: events may be missed until SIGHUP", "error", err.Error())
			settled.Reset(settle)
		case <-settled.C:
			f.reload(ctx, false)
		}
	}
}

// reload reads the file and, when it has changed or force is set, lets it take over.
func (f *follower) reload(ctx context.Context, force bool) {
	logger := f.trail.deps.Logger
	if err := f.watch(); err != nil {
		logger.Error("audit configuration: following the file", "error", err.Error())
	}
	reloading, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	data, err := f.trail.read(reloading) // nil with an error
	if bytes.Equal(data, f.seen) && !force {
		return
	}
	f.seen = data
	err = f.trail.reload(reloading, data, err)
	switch {
	case err == nil:
		logger.Info("audit configuration: a new file took over", "chains", f.trail.String())
	case ctx.Err() != nil: // the trail is being closed
	case errors.Is(err, errAway):
		logger.Error("audit configuration: the new file is refused, and sinks of the old one are closed and tried again", "error", err.Error())
	default:
		logger.Error("audit configuration: the new file is refused and the old one goes on", "error", err.Error())
	}
}
