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

// settle is how long a new content has to stay before it takes over, so that a file that
// is half written does not.
const settle = 50 * time.Millisecond

// maxSettle is how long a file that does not stay unchanged waits until it takes over.
const maxSettle = 2 * time.Second

// reloadTimeout bounds one reload, including the checks of its destinations.
const reloadTimeout = time.Minute

// follower reads the file again when it changes, and on SIGHUP.
type follower struct {
	trail   *Trail
	watcher *fsnotify.Watcher
	hangup  chan os.Signal
	seen    []byte    // what was reloaded last, good or bad; nil when it could not be read
	read    []byte    // what was read last
	since   time.Time // of the first reading that differed from seen; zero for none
}

// follow starts to follow the file, whose content now is data.
func (t *Trail) follow(data []byte) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("config: following %s: %w", t.path, err)
	}
	f := &follower{trail: t, watcher: watcher, hangup: make(chan os.Signal, 1), seen: data, read: data}
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
	// Events may be about neighbours of the file. So each of them only makes the file be
	// read soon, as does the start: the file may have changed before the watch began.
	soon := time.After(settle)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hangup:
			f.reload(ctx, true)
			continue
		case <-soon:
			soon = nil
			if f.reload(ctx, false) {
				continue
			}
		case _, ok := <-f.watcher.Events:
			if !ok {
				return
			}
		case err, ok := <-f.watcher.Errors:
			if !ok {
				return
			}
			f.trail.deps.Logger.Error("audit configuration: following the file: events may be missed until SIGHUP", "error", err.Error())
		}
		if soon == nil {
			soon = time.After(settle)
		}
	}
}

// reload reads the file. A content that has changed and is settled takes over, as does any
// content with force. It reports false when the file has to be read again.
func (f *follower) reload(ctx context.Context, force bool) bool {
	logger := f.trail.deps.Logger
	if err := f.watch(); err != nil {
		logger.Error("audit configuration: following the file", "error", err.Error())
	}
	reloading, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	data, err := f.trail.read(reloading) // nil with an error
	if !force && !f.settled(data) {
		return bytes.Equal(data, f.seen)
	}
	f.seen, f.since = data, time.Time{}
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
	return true
}

// settled reports that data differs from what was reloaded last, and that two readings in a
// row gave it, or that the file has kept changing for maxSettle.
func (f *follower) settled(data []byte) bool {
	same := bytes.Equal(data, f.read)
	f.read = data
	if bytes.Equal(data, f.seen) {
		f.since = time.Time{}
		return false
	}
	if f.since.IsZero() {
		f.since = time.Now()
	}
	return same || time.Since(f.since) >= maxSettle
}
