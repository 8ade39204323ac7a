package recordlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/internal/disk"
)

const (
	segmentSuffix = ".seg"
	numberDigits  = 20
)

func segmentName(first uint64) string {
	return fmt.Sprintf("%0*d%s", numberDigits, first, segmentSuffix)
}

// IsSegment reports whether name is that of a segment.
func IsSegment(name string) bool {
	first, ok := number(name)
	return ok && name == segmentName(first)
}

// number returns the number that a name begins with. It reports false when no segment can
// have it.
func number(name string) (first uint64, ok bool) {
	first, err := strconv.ParseUint(name[:min(len(name), numberDigits)], 10, 64)
	return first, err == nil && first > 0 && first <= maxSeq
}

// segmentsIn returns the numbers of the segments in dir, oldest first. foreign are the other
// names with the suffix of a segment: no Log gives such a name, or it is not that of a
// regular file.
func segmentsIn(dir string) (all []uint64, foreign []string, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		name := f.Name()
		if IsSegment(name) && f.Type().IsRegular() {
			first, _ := number(name)
			all = append(all, first)
		} else if strings.HasSuffix(name, segmentSuffix) {
			foreign = append(foreign, name)
		}
	}
	return all, foreign, err
}

// recover counts the records that an earlier process left. Next finds the damage between
// them, and removes segments that were acknowledged.
func (l *Log) recover() error {
	l.earlier = l.progress.saved
	l.taken = l.earlier
	l.seq = l.earlier
	segments, foreign, err := segmentsIn(l.dir)
	if err != nil {
		return err
	}
	l.setForeignAside(foreign)
	// A second segment of the number of a damaged one would be saved under the same names.
	damaged, err := os.ReadDir(filepath.Join(l.dir, damagedDir))
	if err != nil {
		return err
	}
	for _, f := range damaged {
		if first, ok := number(f.Name()); ok {
			l.seq = max(l.seq, first)
		}
	}
	for _, first := range segments {
		seg := &segment{path: filepath.Join(l.dir, segmentName(first)), sealed: true}
		info, err := os.Stat(seg.path)
		if err != nil {
			return err
		}
		data := make([]byte, info.Size())
		r := reader{segment: seg}
		err = r.read(l.opts.Disk, data, 0)
		r.close()
		if r.file == nil {
			return err // otherwise Next tries again to read what cannot be read
		}
		found := count(data, first, l.progress)
		for _, s := range found.crashed {
			l.saveDamage(seg, data, s, nil)
			seg.told = append(seg.told, s.Start)
		}
		seg.size, seg.waiting, seg.bytes = int64(len(data)), found.Depth, found.Bytes
		l.segments = append(l.segments, seg)
		l.stats.add(found.Stats)
		// Damaged records had numbers, too, but no more of them than fit.
		l.seq = max(l.seq, found.last, first+uint64(len(data))/headSize)
	}
	return nil
}

// tally is what stands in a segment.
type tally struct {
	Stats

	last    uint64 // the highest sequence number
	damaged int    // stretches that are not records, without a torn end
	// crashed are stretches of records that were not noted as synced: a crash has stored
	// the blocks of a write in another order, and not all of them.
	crashed []Step
}

// count counts the records after the acknowledged ones. first is the number of the segment.
func count(data []byte, first uint64, noted *progress) (t tally) {
	for s := range Steps(data) {
		switch {
		case s.Torn:
		case !s.Whole && max(t.last+1, first) > noted.synced:
			s.Torn = true
			t.crashed = append(t.crashed, s)
		case !s.Whole:
			t.damaged++
		case s.Seq > t.last:
			t.last = s.Seq
			if s.Seq > noted.saved {
				t.add(Stats{Depth: 1, Bytes: s.Size(), Oldest: s.At})
			}
		}
	}
	return t
}

// add adds records that were appended later.
func (s *Stats) add(later Stats) {
	if s.Depth == 0 {
		s.Oldest = later.Oldest
	}
	s.Depth += later.Depth
	s.Bytes += later.Bytes
}

// Look returns the Stats of the log in dir, the number of damaged stretches in its segments
// and of files that only look like segments, and the number of files in damagedDir. It only
// reads. The log may be open: records that change meanwhile are counted as they were before
// or as they are afterwards. A torn end does not count as damage, because it may be a record
// that is being written.
func Look(dir string) (stats Stats, damaged, kept int, err error) {
	content, err := disk.ReadFile(filepath.Join(dir, progressName), disk.All)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Stats{}, 0, 0, err
	}
	noted := parseProgress(content)
	segments, foreign, err := segmentsIn(dir)
	if err != nil {
		return Stats{}, 0, 0, err
	}
	damaged = len(foreign)
	for _, first := range segments {
		data, err := disk.ReadFile(filepath.Join(dir, segmentName(first)), disk.All)
		if errors.Is(err, fs.ErrNotExist) {
			continue // acknowledged meanwhile
		}
		if err != nil {
			return Stats{}, 0, 0, err
		}
		found := count(data, first, &noted)
		stats.add(found.Stats)
		damaged += found.damaged
	}
	files, err := os.ReadDir(filepath.Join(dir, damagedDir))
	return stats, damaged, len(files), err
}
