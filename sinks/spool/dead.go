package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

const letterSuffix = ".json"

// DeadLetter is an event that the next sink refused for good.
type DeadLetter struct {
	// ID is the name of its file, without .json.
	ID string `json:"-"`
	// Reason is the error of the next sink.
	Reason string `json:"reason"`
	// Sink is the next sink as auditing.Chain prints it.
	Sink string `json:"sink"`
	// StoredAt is when Write stored the event, and RefusedAt when it was refused.
	StoredAt  time.Time `json:"storedAt"`
	RefusedAt time.Time `json:"refusedAt"`
	// Event is the event as it was stored.
	Event v1alpha1.AuditEvent `json:"event"`
}

// DeadLetterError tells Options.OnFailure that an event became a dead letter.
type DeadLetterError struct {
	// ID of the dead letter, for Show and Requeue.
	ID string
	// Err is the error of the next sink.
	Err error
}

// Error names the dead letter and the reason.
func (e *DeadLetterError) Error() string {
	return fmt.Sprintf("spool: refused for good, kept as dead letter %s: %v", e.ID, e.Err)
}

// Unwrap returns the error of the next sink.
func (e *DeadLetterError) Unwrap() error { return e.Err }

// letterBox is what is known of the folder of dead letters. Guarded by queue.mu.
type letterBox struct {
	count, bytes int64
	counted      time.Time // the folder's time of change then
	at           time.Time // when it was counted
}

// bury makes the event of e a dead letter, however long that takes, and forgets it.
// It reports false when ctx ended first.
func (q *queue) bury(ctx context.Context, e *entry, reason error) bool {
	q.metrics.failures.Inc()
	letter := DeadLetter{
		ID: letterID(e.seq, e.event.Name()), Reason: reason.Error(), Sink: q.next.Info().Chain,
		StoredAt: e.at.UTC(), RefusedAt: time.Now().UTC(), Event: object(e.event),
	}
	text, err := json.MarshalIndent(letter, "", "  ")
	if err != nil { // it came from JSON
		text = fmt.Appendf(nil, "%q", err.Error())
	}
	pause := q.backoff()
	for {
		err := writeFile(q.disk, q.path(deadDir, letter.ID+letterSuffix), append(text, '\n'))
		if err == nil {
			break
		}
		q.opts.OnFailure(e.event.Ref(), fmt.Errorf("spool: keeping a dead letter: %w (refused because: %w)", err, reason))
		if !sleep(ctx, pause.NextBackOff()) {
			return false
		}
	}
	q.metrics.deadLettered.Inc()
	q.opts.OnFailure(e.event.Ref(), &DeadLetterError{ID: letter.ID, Err: reason})
	q.forget(e)
	return true
}

// object returns the event of a letter, with its type for whoever reads the file.
func object(e *driver.Event) v1alpha1.AuditEvent {
	ae := e.Object()
	ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
	return *ae
}

// letterID begins with the sequence number, so that a letter that is written
// again after a crash is the same file.
func letterID(seq uint64, name string) string {
	const most = 200 // a file name holds 255 bytes, and more is added
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
	return strconv.FormatUint(seq, 10) + "-" + clean[:min(len(clean), most)]
}

// letterIDs returns the IDs of the letters in a folder, oldest first, and the
// bytes that they take.
func letterIDs(dir string) (ids []string, bytes int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), letterSuffix)
		if !ok {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		ids = append(ids, id)
		bytes += info.Size()
	}
	slices.SortFunc(ids, func(a, b string) int {
		if x, y := sequenceOf(a), sequenceOf(b); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return ids, bytes, nil
}

func sequenceOf(id string) uint64 {
	digits, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(digits, 10, 64) // 0 for a name that somebody else gave
	return n
}

// countLetters counts the dead letters again when their folder has changed:
// others take letters out of it.
func (q *queue) countLetters() {
	info, err := os.Stat(q.path(deadDir))
	if err != nil {
		return
	}
	q.mu.Lock()
	known := q.dead
	q.mu.Unlock()
	// A change right after the count may have the same time.
	const grain = 100 * time.Millisecond
	if info.ModTime().Equal(known.counted) && known.at.Sub(known.counted) > grain {
		return
	}
	now := time.Now()
	ids, bytes, err := letterIDs(q.path(deadDir))
	if err != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dead = letterBox{count: int64(len(ids)), bytes: bytes, counted: info.ModTime(), at: now}
	if bytes < known.bytes {
		q.moreRoom()
	}
}
