package seal

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
)

// keep makes the checkpoints of the trail. It ends when the last one, which closes the trail,
// is stored, or when ctx ends.
func (l *life) keep(ctx context.Context) {
	defer close(l.done)
	defer l.retire()
	posting, stop := context.WithCancel(ctx)
	defer l.postings.Wait()
	defer stop()
	pause := &backoff.ExponentialBackOff{
		InitialInterval: min(l.stage.opts.Interval, time.Second), MaxInterval: time.Minute, Multiplier: 2, RandomizationFactor: 0.5,
	}
	for kind := canonical.KindTrailOpened; ; kind = l.await(ctx, posting) {
		for ctx.Err() == nil {
			err := l.checkpoint(ctx, kind)
			if err == nil {
				pause.Reset()
				break
			}
			if kind == canonical.KindTrailOpened { // it was the first leaf, and cannot be again
				kind = canonical.KindTrailCheckpoint
			}
			l.sleep(ctx, pause.NextBackOff())
		}
		if ctx.Err() != nil {
			return
		}
		if kind == canonical.KindTrailClosed {
			l.postLast(ctx, stop)
			return
		}
	}
}

// sleep waits before another attempt. A trail that is to end has it made at once.
func (l *life) sleep(ctx context.Context, pause time.Duration) {
	until, ending := time.Now().Add(pause), l.isEnding()
	for now := time.Now(); now.Before(until) && ctx.Err() == nil && ending == l.isEnding(); now = time.Now() {
		l.rest(ctx, until.Sub(now))
	}
}

func (l *life) isEnding() bool {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	return l.ending
}

// await waits until a checkpoint is due, and returns its kind. In the meantime the head is put onto the board.
func (l *life) await(ctx, posting context.Context) v1alpha1.AuditKind {
	opts := &l.stage.opts
	begun := time.Now()
	var first time.Time // when a leaf or a loss was seen that waits
	var drain time.Time // when the wait for events under way ends
	for ctx.Err() == nil {
		now := time.Now()
		l.stage.mu.Lock()
		if l == l.stage.now && !l.ending && now.Sub(l.opened) >= opts.MaxAge { // also when no event comes
			l.stage.succeed()
		}
		waits, asked, many, ending, open := l.waits, l.asked, len(l.leaves) >= opts.Leaves, l.ending, l.open
		untold := len(l.lost) > 0 || len(l.later) > 0 // one checkpoint may have no room for all of it
		l.stage.mu.Unlock()
		if first.IsZero() && waits {
			first = now
		}
		if drain.IsZero() && ending {
			drain = now.Add(opts.Timeout)
		}
		until := begun.Add(opts.Idle)
		switch {
		case ending && untold:
			return canonical.KindTrailCheckpoint
		case ending && (open == 0 || !now.Before(drain)):
			return canonical.KindTrailClosed
		case asked || many:
			return canonical.KindTrailCheckpoint
		case ending:
			until = drain
		case waits:
			until = first.Add(opts.Interval)
		}
		if due := l.post(posting, now); !due.IsZero() && due.Before(until) {
			until = due
		}
		if !now.Before(until) {
			return canonical.KindTrailCheckpoint
		}
		l.rest(ctx, until.Sub(now))
	}
	return canonical.KindTrailCheckpoint // ctx has ended
}

// rest waits for news, for a time at most.
func (l *life) rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	case <-ctx.Done():
	}
}

// retire erases the trail's key, and has later trails record where this one ended.
func (l *life) retire() {
	l.quit()
	l.signer.erase()
	s := l.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.uncovered.Sub(float64(l.marks.size - l.covered))
	if l.head.Size > 0 {
		certificate := l.certifier.current()
		if (trail.OtherKey{Key: l.key, Certificate: certificate}).Fits() != nil {
			certificate = ""
		}
		s.others.put(l.key, other{l.head, certificate, time.Now(), time.Now()})
	}
}
