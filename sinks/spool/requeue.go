package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/recordlog"
)

// Requeue puts dead letters at the end of the queue again, after their cause was
// mended. It may be called while a Sink has the directory open, which then takes
// them within seconds; otherwise the next one does. The destination sees each
// under the name that it had. A letter that cannot be moved stays, and the error names it.
// When root calls Requeue, the letters that it writes get the owner of the directory.
//
// An ID may also be the name of a segment in the folder damaged/: every event
// that can be read in it is requeued, and where that is not all of it, the
// segment stays and the error says so. Events of it that were delivered before are
// delivered again, which a destination takes for one event.
func Requeue(dir string, ids ...string) error {
	var errs []error
	for _, id := range ids {
		requeue := requeueLetter
		if recordlog.IsSegment(id) {
			requeue = requeueSegment
		}
		errs = append(errs, requeue(dir, id))
	}
	for _, folder := range []string{requeueDir, deadDir} {
		if err := disk.OS.SyncDir(filepath.Join(dir, folder)); err != nil {
			errs = append(errs, fmt.Errorf("spool: making the requeueing durable: %w", err))
		}
	}
	return errors.Join(errs...)
}

func requeueLetter(dir, id string) error {
	from, err := letterPath(dir, deadDir, id)
	if err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err == nil && !info.Mode().IsRegular() {
		err = disk.ErrIrregular
	}
	if err == nil {
		err = os.Rename(from, filepath.Join(dir, requeueDir, id+letterSuffix))
	}
	if err != nil {
		return fmt.Errorf("spool: requeueing dead letter %s: %w", id, err)
	}
	return nil
}

// requeueSegment writes a letter for every event in a segment that was kept whole.
func requeueSegment(dir, name string) error {
	err := recordlog.Salvage(dir, name, func(record recordlog.Step) error {
		e, err := driver.Decode(record.Payload)
		if err != nil {
			return err
		}
		_, err = writeLetter(disk.OS, filepath.Join(dir, requeueDir), record.Seq, e, DeadLetter{
			Reason: "kept in " + name, StoredAt: record.At,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("spool: requeueing segment %s: %w", name, err)
	}
	return nil
}

// upkeepEvery is how often requeued letters are looked for, the dead ones counted and the
// progress saved.
const upkeepEvery = time.Second

// stuckLetter is a requeued letter that stays in its folder.
type stuckLetter struct {
	stored bool // its event is in the log, and only the file could not be removed
	reason string
}

func (s *stage) keepUp(ctx context.Context) {
	for ok := true; ok; ok = sleep(ctx, upkeepEvery) {
		s.trouble(s.log.SaveProgress())
		s.takeRequeued(ctx)
		s.countDead()
	}
}

// takeRequeued stores the requeued letters as new events, and removes each when that is
// durable.
//
// A letter that cannot be taken stays, and the others are taken. It is reported when it is
// found, and again when the error is another one.
func (s *stage) takeRequeued(ctx context.Context) {
	ids, _, err := letterIDs(filepath.Join(s.dir, requeueDir))
	if err != nil {
		s.trouble(fmt.Errorf("looking for requeued letters: %w", err))
		return
	}
	maps.DeleteFunc(s.stuck, func(id string, _ stuckLetter) bool { return !slices.Contains(ids, id) })
	for _, id := range ids {
		path := filepath.Join(s.dir, requeueDir, id+letterSuffix)
		last := s.stuck[id]
		var err error
		if !last.stored {
			err = s.takeLetter(ctx, path)
		}
		stored := err == nil
		if stored {
			err = s.opts.disk.Remove(path)
		}
		if err == nil {
			continue
		}
		if refused(err) { // its file was edited
			err = errors.Join(err, s.opts.disk.Rename(path, filepath.Join(s.dir, deadDir, id+letterSuffix)))
		}
		class, _ := driver.ClassOf(err)
		if ctx.Err() != nil || class == auditing.ClassClosed {
			return
		}
		s.stuck[id] = stuckLetter{stored: stored, reason: err.Error()}
		if last.reason != err.Error() {
			s.trouble(fmt.Errorf("requeueing dead letter %s: %w", id, err))
		}
		if class == auditing.ClassFull || class == auditing.ClassTimeout { // there is no room for others either
			return
		}
	}
}

// takeLetter stores the event of a letter again. It does not go through Write: the event
// was counted when it was written.
func (s *stage) takeLetter(ctx context.Context, path string) error {
	letter, err := readLetter(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upkeepEvery) // it may have to wait for room
	defer cancel()
	e, err := driver.Prepare(&letter.Event, s.info.Component)
	if err != nil {
		return err
	}
	return errors.Join(s.Store(ctx, []*driver.Event{e})...)
}
