package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/paddock-dev/audit/internal/recordlog"
)

// Summary is what Stats finds in a directory.
type Summary struct {
	// Depth is the number of events that wait, and Bytes what they take.
	Depth, Bytes int64
	// Oldest is when the oldest of them was stored; zero when none waits.
	Oldest time.Time
	// DeadLetters is the number of dead letters, and Requeued that of those that
	// are on their way back.
	DeadLetters, Requeued int
	// Damaged is the number of damaged stretches in the segments that still wait,
	// and SetAside the number of files in damaged/.
	Damaged, SetAside int
}

// Stats looks into the directory of a spool, whether or not a Sink has it open. It reads
// only. What changes meanwhile may be counted as it was before or as it is after.
func Stats(dir string) (Summary, error) {
	waiting, damaged, kept, err := recordlog.Look(dir)
	dead, _, err2 := letterIDs(filepath.Join(dir, deadDir))
	requeued, _, err3 := letterIDs(filepath.Join(dir, requeueDir))
	if err := errors.Join(err, err2, err3); err != nil {
		return Summary{}, fmt.Errorf("spool: looking into %s: %w", dir, err)
	}
	return Summary{
		Depth: waiting.Depth, Bytes: waiting.Bytes, Oldest: waiting.Oldest,
		DeadLetters: len(dead), Requeued: len(requeued), Damaged: damaged, SetAside: kept,
	}, nil
}
