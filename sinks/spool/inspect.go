package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
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
	// Damaged is the number of damaged stretches in the segments that still wait, and
	// of files that only look like segments, and SetAside the number of files in damaged/.
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

// List returns the dead letters in the directory of a spool, oldest first. When
// some cannot be read, it returns the others with an error that names those.
func List(dir string) ([]DeadLetter, error) {
	ids, _, err := letterIDs(filepath.Join(dir, deadDir))
	if err != nil {
		return nil, fmt.Errorf("spool: listing the dead letters in %s: %w", dir, err)
	}
	var letters []DeadLetter
	var errs []error
	for _, id := range ids {
		letter, err := Show(dir, id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		letters = append(letters, letter)
	}
	return letters, errors.Join(errs...)
}

// Show returns one dead letter.
func Show(dir, id string) (DeadLetter, error) {
	path, err := letterPath(dir, deadDir, id)
	if err != nil {
		return DeadLetter{}, err
	}
	letter, err := readLetter(path)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("spool: reading dead letter %s: %w", id, err)
	}
	letter.ID = id
	return letter, nil
}

func readLetter(path string) (letter DeadLetter, err error) {
	text, err := disk.ReadFile(path, disk.All)
	if err != nil {
		return DeadLetter{}, err
	}
	if err := json.Unmarshal(text, &letter); err != nil {
		return DeadLetter{}, driver.Permanent(fmt.Errorf("it is damaged: %w", err))
	}
	return letter, nil
}

// letterPath refuses an ID that is not the name of a file in the folder.
func letterPath(dir, folder, id string) (string, error) {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`) {
		return "", fmt.Errorf("spool: %q is not the ID of a dead letter: take one that List gives", id)
	}
	return filepath.Join(dir, folder, id+letterSuffix), nil
}
