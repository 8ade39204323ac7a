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

// maxSettle is how long a file that does not stay unchanged waits to be read.
const maxSettle = 2 * time.Second

// maxLinks bounds the symbolic links that are followed, as the kernel does.
const maxLinks = 40

// reloadTimeout bounds one reload, including the checks of its destinations.
const reloadTimeout = time.Minute

// follower reads the file again when it changes, and on SIGHUP.
type follower struct {
	trail   *Trail
	watcher *fsnotify.Watcher
	hangup  chan os.Signal
	seen    []byte // what was read last, good or bad; nil when it could not be read
	// names are those under which an event can be about the file: its own, and those of
	// the links that lead to it.
	names map[string]bool
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
	f.names = linkNames(f.trail.path)
	for _, old := range f.watcher.WatchList() {
		if !slices.Contains(dirs, old) {
			_ = f.watcher.Remove(old) // it fails for a directory that was removed
		}
	}
	return errors.Join(f.watcher.Add(dirs[0]), f.watcher.Add(dirs[len(dirs)-1]))
}

// linkNames returns the last elements of path, of every symbolic link on the way to the
// file, and of their directories: ..data as well, where audit.yaml links to
// ..data/audit.yaml.
func linkNames(path string) map[string]bool {
	names := map[string]bool{}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	for range maxLinks {
		names[filepath.Base(path)] = true
		names[filepath.Base(filepath.Dir(path))] = true // it may be removed itself
		next := ""
		for at := path; at != filepath.Dir(at); at = filepath.Dir(at) { // the outermost link is the last one found
			target, err := os.Readlink(at)
			if err != nil {
				continue
			}
			names[filepath.Base(at)] = true
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			next = filepath.Join(target, path[len(at):])
		}
		if next == "" {
			return names
		}
		path = next
	}
	return names
}

func (f *follower) run(ctx context.Context) {
	settled := time.NewTimer(settle) // once at the start: the file may have changed before the watch began
	defer settled.Stop()
	var since time.Time // of the first change that has not been read; zero for none
	changed := func() {
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		settled.Reset(max(0, min(settle, maxSettle-now.Sub(since))))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hangup:
			f.reload(ctx, true)
		case e, ok := <-f.watcher.Events:
			if !ok {
				return
			}
			if f.names[filepath.Base(e.Name)] {
				changed()
			}
		case err, ok := <-f.watcher.Errors:
			if !ok {
				return
			}
			f.trail.deps.Logger.Error("audit configuration: following the file: events may be missed until SIGHUP", "error", err.Error())
			changed()
		case <-settled.C:
			since = time.Time{}
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
