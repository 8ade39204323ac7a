package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// upkeepEvery is how often requeued letters are looked for, the dead ones
// counted and the progress synced.
const upkeepEvery = time.Second

func (q *queue) keepUp(ctx context.Context) {
	for ticks := time.NewTicker(upkeepEvery); ; {
		if err := q.progress.sync(); err != nil {
			q.opts.OnFailure("", fmt.Errorf("spool: noting the progress, some events may be delivered again: %w", err))
		}
		q.takeRequeued(ctx)
		q.countLetters()
		select {
		case <-ticks.C:
		case <-ctx.Done():
			ticks.Stop()
			return
		}
	}
}

// takeRequeued stores the letters in the folder of requeued ones as new events,
// and removes each when that is durable.
func (q *queue) takeRequeued(ctx context.Context) {
	ids, _, err := letterIDs(q.path(requeueDir))
	if err != nil {
		q.opts.OnFailure("", fmt.Errorf("spool: looking for requeued letters: %w", err))
		return
	}
	for _, id := range ids {
		path := q.path(requeueDir, id+letterSuffix)
		err := q.takeLetter(ctx, path)
		if err == nil {
			err = q.disk.remove(path)
		}
		if err == nil {
			continue
		}
		class, _ := driver.ClassOf(err)
		spoilt := refused(err)
		if spoilt { // somebody has edited it
			err = errors.Join(err, q.disk.rename(path, q.path(deadDir, id+letterSuffix)))
		}
		if ctx.Err() != nil || class == auditing.ClassClosed {
			return
		}
		q.opts.OnFailure("", fmt.Errorf("spool: requeueing dead letter %s: %w", id, err))
		if !spoilt {
			return
		}
	}
}

// takeLetter stores the event of a letter again. It does not go through Write: the
// event was counted when it was written.
func (q *queue) takeLetter(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var letter DeadLetter
	if err := json.Unmarshal(text, &letter); err != nil {
		return driver.Permanent(fmt.Errorf("it is not a dead letter any more: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, upkeepEvery) // it may have to wait for room
	defer cancel()
	e, err := driver.Prepare(&letter.Event, q.info.Component)
	if err != nil {
		return err
	}
	if errs := q.Store(ctx, []*driver.Event{e}); errs != nil {
		return errs[0]
	}
	return nil
}
