package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Damage is a stretch of a segment in which no event could be found, or a whole
// segment of which the disk refused to read some.
type Damage struct {
	// Segment is the file, and Offset and Bytes the stretch in it.
	Segment       string
	Offset, Bytes int64
	// Torn says that it was the end of the file: most likely a write that a crash
	// cut short, and that nobody was told is stored. Damage to the head of the last
	// record looks the same.
	Torn bool
	// SavedAs is the file with a copy of the bytes; "" when it could not be
	// written, and then the whole segment is kept in its place.
	SavedAs string
	// Err says what is wrong, or why there is no copy. May be nil.
	Err error
}

// String says what was found and where it is kept.
func (d Damage) String() string {
	what := "damage"
	if d.Torn {
		what = "torn end"
	}
	text := fmt.Sprintf("spool: %s in %s: %d bytes at offset %d set aside", what, d.Segment, d.Bytes, d.Offset)
	if d.SavedAs != "" {
		text += " as " + d.SavedAs
	}
	if d.Err != nil {
		text += ": " + d.Err.Error()
	}
	return text
}

// saveDamage copies a stretch of a segment to the folder of damaged ones, counts and
// reports it.
func (q *queue) saveDamage(seg *segment, data []byte, step found, cause error) {
	name := fmt.Sprintf("%s-%d.bin", strings.TrimSuffix(filepath.Base(seg.path), segmentSuffix), step.start)
	d := Damage{
		Segment: seg.path, Offset: int64(step.start), Bytes: int64(step.end - step.start),
		Torn: step.finding == foundTail, SavedAs: q.path(damagedDir, name), Err: cause,
	}
	if err := writeFile(q.disk, d.SavedAs, data[step.start:step.end]); err != nil {
		d.SavedAs = ""
		d.Err = errors.Join(cause, fmt.Errorf("no copy could be written: %w", err))
		q.suspect(seg)
	}
	if d.Torn {
		q.metrics.torn.Inc()
	} else {
		q.metrics.damaged.Inc()
	}
	q.opts.OnDamage(d)
}

// keep moves a whole segment to the folder of damaged ones, and reports it when
// the disk refused to read some of it: nobody knows how many events stand there.
func (q *queue) keep(seg *segment) error {
	to := q.path(damagedDir, filepath.Base(seg.path))
	if err := q.disk.rename(seg.path, to); err != nil {
		return err
	}
	if seg.unread {
		q.metrics.damaged.Inc()
		q.opts.OnDamage(Damage{
			Segment: seg.path, Bytes: seg.size, SavedAs: to,
			Err: errors.New("the disk refuses to read some of it, and events there are not delivered: requeue it when it can be read"),
		})
	}
	return nil
}
