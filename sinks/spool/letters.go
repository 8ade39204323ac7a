package spool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
)

// The folders for dead letters, and for those on their way back into the log.
const (
	deadDir      = "dead"
	requeueDir   = "requeue"
	letterSuffix = ".json"
)

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

// bury makes the event of e a dead letter, and forgets it. When that fails, the event
// stays in the log, and its sender tries it again.
func (s *stage) bury(e *entry, reason error) error {
	id, err := writeLetter(s.opts.disk, filepath.Join(s.dir, deadDir), e.Seq, e.event, DeadLetter{
		Reason: reason.Error(), Sink: s.next.Info().Chain, StoredAt: e.At,
	})
	if err != nil {
		return fmt.Errorf("spool: keeping a dead letter: %w (refused because: %w)", err, reason)
	}
	s.metrics.failures.Inc()
	s.metrics.deadLettered.Inc()
	driver.Lacks(e.event, s.place())
	s.report(e.event, &DeadLetterError{ID: id, Err: reason})
	s.trouble(s.log.Acknowledge(e.Record))
	return nil
}

// place is where events go.
func (s *stage) place() string { return cmp.Or(s.opts.Place, s.next.Info().Chain) }

// tellDead tells of the dead letters that are there: an earlier process may have ended before it was
// declared that their place lacks them.
func (s *stage) tellDead(tell func(ae *v1alpha1.AuditEvent, place string)) {
	ids, _, err := letterIDs(filepath.Join(s.dir, deadDir))
	s.trouble(err)
	for _, id := range ids {
		letter, err := Show(s.dir, id)
		switch {
		case errors.Is(err, os.ErrNotExist): // it was removed meanwhile
		case err != nil:
			s.report(nil, err)
		default:
			tell(&letter.Event, s.place())
		}
	}
}

// writeLetter completes the letter of an event and stores it in folder. Its ID begins with
// the sequence number, so that a letter that is written again after a crash is the same
// file.
func writeLetter(d disk.Disk, folder string, seq uint64, e *driver.Event, letter DeadLetter) (id string, err error) {
	ae := e.Object()
	ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent")) // for readers of the file
	letter.Event, letter.StoredAt, letter.RefusedAt = *ae, letter.StoredAt.UTC(), time.Now().UTC()
	text, err := json.MarshalIndent(letter, "", "  ")
	if err != nil {
		return "", err
	}
	const most = 200 // a file name holds 255 bytes, and more is added
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, e.Name())
	id = strconv.FormatUint(seq, 10) + "-" + clean[:min(len(clean), most)]
	return id, disk.WriteFile(d, filepath.Join(folder, id+letterSuffix), append(text, '\n'))
}

// letterIDs returns the IDs of the letters in a folder, oldest first, and the bytes that
// they take.
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
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		ids = append(ids, id)
		bytes += info.Size()
	}
	number := func(id string) uint64 {
		digits, _, _ := strings.Cut(id, "-")
		n, _ := strconv.ParseUint(digits, 10, 64) // 0 for another form of name
		return n
	}
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return ids, bytes, nil
}

// deadLetters is the last count of the folder of dead letters.
type deadLetters struct {
	count, bytes atomic.Int64

	changed, counted time.Time // the folder's time of change at that count, and the time of the count
}

// countDead counts the dead letters again when their folder has changed, as letters can be
// taken out of it at any time. It is called by one goroutine at a time.
func (s *stage) countDead() {
	d := &s.dead
	info, err := os.Stat(filepath.Join(s.dir, deadDir))
	if err != nil {
		return
	}
	// A change right after the count may have the same time.
	const grain = 100 * time.Millisecond
	if info.ModTime().Equal(d.changed) && d.counted.Sub(d.changed) > grain {
		return
	}
	now := time.Now()
	ids, bytes, err := letterIDs(filepath.Join(s.dir, deadDir))
	if err != nil {
		return
	}
	d.changed, d.counted = info.ModTime(), now
	d.count.Store(int64(len(ids)))
	d.bytes.Store(bytes)
	s.log.Retry() // there may be more room
}
