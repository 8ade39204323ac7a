package recordlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/paddock-dev/audit/internal/disk"
)

// Reject is Acknowledge for the record that Next has just returned, when its payload is
// damaged although its checksums are right.
func (l *Log) Reject(r *Record, cause error) error {
	l.saveDamage(l.reader.segment, l.reader.data, r.Step, cause)
	return l.Acknowledge(r)
}

// saveDamage copies a stretch of a segment to damagedDir, and reports it. It does nothing
// when an earlier process has done so: the segment is read again after each start until its
// records are acknowledged.
func (l *Log) saveDamage(seg *segment, data []byte, s Step, cause error) {
	name := fmt.Sprintf("%s-%d.bin", strings.TrimSuffix(filepath.Base(seg.path), segmentSuffix), s.Start)
	savedAs := filepath.Join(l.dir, damagedDir, name)
	if saved, err := disk.ReadFile(savedAs, disk.All); err == nil && bytes.Equal(saved, data[s.Start:s.End]) {
		return
	}
	if err := disk.WriteFile(l.opts.Disk, savedAs, data[s.Start:s.End]); err != nil {
		savedAs = ""
		cause = errors.Join(cause, fmt.Errorf("no copy could be written: %w", err))
		l.mu.Lock()
		seg.keep = true
		l.mu.Unlock()
	}
	l.opts.OnDamage(seg.path, s, savedAs, cause)
}

// keepSegment moves a whole segment to damagedDir. When the disk refused to read a part of
// it, keepSegment reports the segment, because the number of records in it is unknown.
func (l *Log) keepSegment(seg *segment) error {
	to := filepath.Join(l.dir, damagedDir, filepath.Base(seg.path))
	err := l.opts.Disk.Rename(seg.path, to)
	if err == nil && seg.unread {
		l.opts.OnDamage(seg.path, Step{End: int(seg.size)}, to,
			errors.New("the disk refuses to read some of it, and events there are not delivered: requeue it when it can be read"))
	}
	return err
}

var errForeign = errors.New("the log has written no such file")

// setForeignAside moves files that look like segments to damagedDir, and reports them.
func (l *Log) setForeignAside(names []string) {
	for _, name := range names {
		from, cause := filepath.Join(l.dir, name), errForeign
		to, err := l.setAside(from)
		if err != nil {
			to, cause = "", errors.Join(errForeign, err)
		}
		l.opts.OnDamage(from, Step{}, to, cause)
	}
}

// setAside moves a file to damagedDir, beside files of the same name.
func (l *Log) setAside(path string) (to string, err error) {
	to = filepath.Join(l.dir, damagedDir, filepath.Base(path))
	for i := 1; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return to, l.opts.Disk.Rename(path, to)
		} else if err != nil {
			return "", err
		}
		to = fmt.Sprintf("%s.%d", filepath.Join(l.dir, damagedDir, filepath.Base(path)), i)
	}
}

// Salvage calls store for each record of a segment that is kept in damagedDir, by its
// name there. It removes the segment when there was nothing else in it. Otherwise the
// segment stays, and the error says how many records store took, and what else is in it.
func Salvage(dir, name string, store func(Step) error) error {
	path := filepath.Join(dir, damagedDir, name)
	data, err := disk.ReadFile(path, disk.All)
	if err != nil {
		return err
	}
	var left []error
	stored := 0
	for s := range Steps(data) {
		err := errors.New("no record is there")
		if s.Whole {
			err = store(s)
		}
		if err != nil {
			left = append(left, fmt.Errorf("%d bytes at offset %d: %w", s.Size(), s.Start, err))
			continue
		}
		stored++
	}
	if stored > 0 && len(left) == 0 {
		return os.Remove(path)
	}
	return fmt.Errorf("%d events were taken from %s, and it stays because of the rest: %w: remove it when it is no longer needed",
		stored, path, errors.Join(left...))
}
