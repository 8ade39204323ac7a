package recordlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".seg"

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// SegmentNumber returns the number in the name of a segment, and whether it is one.
func SegmentNumber(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, ok && err == nil && name == segmentName(first)
}

// segmentNumbers returns the numbers of the segments in dir, oldest first.
func segmentNumbers(dir string) (numbers []uint64, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if first, ok := SegmentNumber(f.Name()); ok {
			numbers = append(numbers, first)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// recover counts what an earlier process left. Next finds the damage in it, and removes
// what was acknowledged.
func (l *Log) recover() error {
	l.earlier = l.progress.saved
	l.taken = l.earlier
	l.seq = max(l.earlier, lastDamaged(filepath.Join(l.dir, damagedDir)))
	numbers, err := segmentNumbers(l.dir)
	if err != nil {
		return err
	}
	for _, first := range numbers {
		seg := &segment{path: filepath.Join(l.dir, segmentName(first)), sealed: true}
		data, err := readSegment(l.opts.Disk, seg.path)
		if err != nil {
			return err
		}
		found := count(data, l.earlier)
		seg.size, seg.waiting, seg.bytes = int64(len(data)), found.Depth, found.Bytes
		l.segments = append(l.segments, seg)
		l.stats.add(found.Stats)
		// Damaged records had numbers, too, but no more of them than fit.
		l.seq = max(l.seq, found.last, first+uint64(len(data))/headSize)
	}
	return nil
}

// lastDamaged returns the highest number of a segment of which dir holds something. The
// segment itself may be gone. Another one of its number would be saved under the same names.
func lastDamaged(dir string) (last uint64) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0 // nothing can be saved there either
	}
	for _, f := range files {
		number, _, _ := strings.Cut(strings.TrimSuffix(f.Name(), segmentSuffix), "-")
		first, err := strconv.ParseUint(number, 10, 64)
		if err == nil {
			last = max(last, first)
		}
	}
	return last
}

// readSegment reads a whole segment. Zeros stand for what the disk refuses to read.
func readSegment(d Disk, path string) ([]byte, error) {
	f, err := d.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	data := make([]byte, info.Size())
	_ = readWhole(f, data, 0) // Next reports it
	return data, f.Close()
}

// tally is what stands in a segment.
type tally struct {
	Stats

	last    uint64 // the highest sequence number
	damaged int    // stretches that are not records, without a torn end
}

// count counts the records after the acknowledged ones.
func count(data []byte, acknowledged uint64) (t tally) {
	for s := range Steps(data) {
		switch {
		case s.Torn:
		case !s.Whole:
			t.damaged++
		case s.Seq > t.last: // otherwise it is left from a write that failed, and written over
			t.last = s.Seq
			if s.Seq > acknowledged {
				t.add(Stats{Depth: 1, Bytes: s.Size(), Oldest: s.At})
			}
		}
	}
	return t
}

// add adds what was appended later.
func (s *Stats) add(later Stats) {
	if s.Depth == 0 {
		s.Oldest = later.Oldest
	}
	s.Depth += later.Depth
	s.Bytes += later.Bytes
}

// Look returns the Stats of the log in dir, and how many damaged stretches stand in what
// waits and how many files in damagedDir. It only reads, and the log may be open: then
// this is a picture of no one moment, and the end of a segment may be a record that is
// being written, so a torn one does not count.
func Look(dir string) (stats Stats, damaged, kept int, err error) {
	progress, err := os.ReadFile(filepath.Join(dir, progressName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Stats{}, 0, 0, err
	}
	_, acknowledged := parseProgress(progress)
	numbers, err := segmentNumbers(dir)
	if err != nil {
		return Stats{}, 0, 0, err
	}
	for _, first := range numbers {
		data, err := os.ReadFile(filepath.Join(dir, segmentName(first)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // acknowledged meanwhile
		}
		if err != nil {
			return Stats{}, 0, 0, err
		}
		found := count(data, acknowledged)
		stats.add(found.Stats)
		damaged += found.damaged
	}
	files, err := os.ReadDir(filepath.Join(dir, damagedDir))
	return stats, damaged, len(files), err
}
