package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/paddock-dev/audit/driver"
)

var errDamaged = errors.New("nothing else in it is an event: remove it when nobody needs it any more")

// requeueSegment puts a letter of every event in a segment that was kept whole
// into the folder of requeued ones. It removes the segment, unless something in
// it still is no event; the error then says where.
func requeueSegment(dir, name string) error {
	path := filepath.Join(dir, damagedDir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("spool: requeueing segment %s: %w", name, err)
	}
	var rest []error
	letters := 0
	for off := 0; ; {
		step := next(data, off)
		off = step.end
		if step.finding == foundEnd {
			break
		}
		err := errors.New("no event is there")
		if step.finding == foundRecord {
			err = requeueRecord(dir, name, step)
		}
		if err == nil {
			letters++
			continue
		}
		rest = append(rest, fmt.Errorf("%d bytes at offset %d: %w", step.end-step.start, step.start, err))
	}
	if letters > 0 && len(rest) == 0 {
		return os.Remove(path)
	}
	return fmt.Errorf("spool: %d events of %s were requeued, and it stays for what is left: %w", letters, path,
		errors.Join(append(rest, errDamaged)...))
}

func requeueRecord(dir, segment string, record found) error {
	e, err := driver.Decode(record.payload)
	if err != nil {
		return err
	}
	letter := DeadLetter{Reason: "kept in " + segment, StoredAt: record.at.UTC(), RefusedAt: time.Now().UTC(), Event: object(e)}
	text, err := json.MarshalIndent(letter, "", "  ")
	if err != nil {
		return err
	}
	id := letterID(record.seq, e.Name())
	return writeFile(realDisk{}, filepath.Join(dir, requeueDir, id+letterSuffix), append(text, '\n'))
}
