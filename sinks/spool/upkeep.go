package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

// upkeepEvery is how often requeued letters are looked for, the dead ones
// counted and the progress synced.
const upkeepEvery = time.Second

func (s *Sink) keepUp(ctx context.Context) {
	for ticks := time.NewTicker(upkeepEvery); ; {
		if err := s.progress.sync(); err != nil {
			s.opts.OnFailure("", fmt.Errorf("spool: noting the progress, some events may be delivered again: %w", err))
		}
		s.takeRequeued(ctx)
		s.countLetters()
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
func (s *Sink) takeRequeued(ctx context.Context) {
	ids, _, err := letterIDs(s.path(requeueDir))
	if err != nil {
		s.opts.OnFailure("", fmt.Errorf("spool: looking for requeued letters: %w", err))
		return
	}
	for _, id := range ids {
		path := s.path(requeueDir, id+letterSuffix)
		err := s.takeLetter(ctx, path)
		if err == nil {
			err = s.disk.remove(path)
		}
		if err == nil {
			continue
		}
		class, _ := auditing.ClassOf(err)
		if class == auditing.ClassPermanent { // somebody has edited it
			err = errors.Join(err, s.disk.rename(path, s.path(deadDir, id+letterSuffix)))
		}
		if ctx.Err() != nil || class == auditing.ClassClosed {
			return
		}
		s.opts.OnFailure("", fmt.Errorf("spool: requeueing dead letter %s: %w", id, err))
		if class != auditing.ClassPermanent {
			return
		}
	}
}

func (s *Sink) takeLetter(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var letter DeadLetter
	if err := json.Unmarshal(text, &letter); err != nil {
		return auditing.Permanent(fmt.Errorf("it is not a dead letter any more: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, upkeepEvery) // it may have to wait for room
	defer cancel()
	return s.Write(ctx, &letter.Event)
}
