package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	// and SetAside that of the files with what was set aside.
	Damaged, SetAside int
}

// Stats looks into the directory of a spool, whether or not a Sink has it open:
// it reads only. Of one that is open it is a picture of no one moment.
func Stats(dir string) (Summary, error) {
	var sum Summary
	if err := sum.look(dir); err != nil {
		return Summary{}, fmt.Errorf("spool: looking into %s: %w", dir, err)
	}
	return sum, nil
}

func (sum *Summary) look(dir string) error {
	var delivered uint64
	f, err := realDisk{}.open(filepath.Join(dir, progressName), false)
	switch {
	case err == nil:
		_, delivered = readProgress(f)
		_ = f.Close() // it was only read
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	segments, err := segmentFiles(dir)
	if err != nil {
		return err
	}
	for _, seg := range segments {
		data, err := os.ReadFile(seg.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // delivered meanwhile
		}
		if err != nil {
			return err
		}
		sum.count(data, delivered)
	}
	dead, _, err := letterIDs(filepath.Join(dir, deadDir))
	requeued, _, err2 := letterIDs(filepath.Join(dir, requeueDir))
	aside, err3 := os.ReadDir(filepath.Join(dir, damagedDir))
	sum.DeadLetters, sum.Requeued, sum.SetAside = len(dead), len(requeued), len(aside)
	return errors.Join(err, err2, err3)
}

// count adds the records of a segment. What stands at its end without being a
// record may be one that is being written.
func (sum *Summary) count(data []byte, delivered uint64) {
	for off := 0; ; {
		step := next(data, off)
		off = step.end
		switch step.finding {
		case foundEnd, foundTail:
			return
		case foundDamage:
			sum.Damaged++
		case foundRecord:
			if step.seq <= delivered {
				continue
			}
			if sum.Depth == 0 {
				sum.Oldest = step.at
			}
			sum.Depth++
			sum.Bytes += int64(step.end - step.start)
		}
	}
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
	text, err := os.ReadFile(path)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("spool: reading dead letter %s: %w", id, err)
	}
	letter := DeadLetter{}
	if err := json.Unmarshal(text, &letter); err != nil {
		return DeadLetter{}, fmt.Errorf("spool: dead letter %s is damaged: %w", id, err)
	}
	letter.ID = id
	return letter, nil
}

// Requeue puts dead letters at the end of the queue again, after their cause was
// mended. It may be called while a Sink has the directory open, which then takes
// them within seconds; otherwise the next one does. The destination sees each
// under the name that it had. It stops at the first letter that cannot be moved.
//
// An ID may also be the name of a segment in the folder damaged/: every event
// that can be read in it is requeued, and where that is not all of it, the
// segment stays and the error says so. What of it was delivered before is
// delivered again, which a destination takes for one event.
func Requeue(dir string, ids ...string) error {
	var errs []error
	for _, id := range ids {
		if _, segment := segmentNumber(id); segment {
			errs = append(errs, requeueSegment(dir, id))
			continue
		}
		if err := requeueLetter(dir, id); err != nil {
			errs = append(errs, err)
			break
		}
	}
	d := realDisk{}
	err := errors.Join(d.syncDir(filepath.Join(dir, requeueDir)), d.syncDir(filepath.Join(dir, deadDir)))
	if err != nil {
		errs = append(errs, fmt.Errorf("spool: making the requeueing durable: %w", err))
	}
	return errors.Join(errs...)
}

func requeueLetter(dir, id string) error {
	from, err := letterPath(dir, deadDir, id)
	if err != nil {
		return err
	}
	to, err := letterPath(dir, requeueDir, id)
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("spool: requeueing dead letter %s: %w", id, err)
	}
	return nil
}

// letterPath refuses what is no name of a file in the folder.
func letterPath(dir, folder, id string) (string, error) {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`) {
		return "", fmt.Errorf("spool: %q is no ID of a dead letter: take one that List gives", id)
	}
	return filepath.Join(dir, folder, id+letterSuffix), nil
}
