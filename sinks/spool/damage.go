package spool

import (
	"fmt"

	"github.com/paddock-dev/audit/internal/recordlog"
)

// Damage is a stretch of a segment in which no event could be found, or a whole segment
// that the disk refused to read in part.
type Damage struct {
	// Segment is the file, and Offset and Bytes the stretch in it.
	Segment       string
	Offset, Bytes int64
	// Torn says that it was the end of the file: most likely a write that a crash cut
	// short, and that was never confirmed. Damage to the head of the last record looks the
	// same.
	Torn bool
	// SavedAs is the file with a copy of the bytes; "" when it could not be written, and
	// then the whole segment is kept in its place.
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

// damaged counts and reports damage that the log has found.
func (s *stage) damaged(segment string, bytes recordlog.Step, savedAs string, err error) {
	if bytes.Torn {
		s.metrics.torn.Inc()
	} else {
		s.metrics.damaged.Inc()
	}
	if s.opts.OnDamage != nil {
		s.opts.OnDamage(Damage{
			Segment: segment, Offset: int64(bytes.Start), Bytes: bytes.Size(), Torn: bytes.Torn, SavedAs: savedAs, Err: err,
		})
	}
}
