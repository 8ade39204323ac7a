package recordlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/paddock-dev/audit/internal/disk"
)

// Waiting calls visit for each record that waits in the log in dir, the oldest first, with
// the number of its segment, until visit returns false. It only reads. The log may be open:
// a record that is appended or acknowledged meanwhile may be visited or not, and so may a
// record that was acknowledged within the last second.
//
// The error names damaged stretches, files that only look like segments, and what could not
// be read; everything else was visited. Like Look, Waiting passes over a torn end, which may
// be a record that is being written.
func Waiting(dir string, visit func(segment uint64, s Step) bool) error {
	content, err := disk.ReadFile(filepath.Join(dir, progressName), disk.All)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	noted := parseProgress(content)
	segments, foreign, err := segmentsIn(dir)
	errs := []error{err}
	for _, name := range foreign {
		errs = append(errs, fmt.Errorf("%s: %w", filepath.Join(dir, name), errForeign))
	}
	for _, first := range segments {
		path := filepath.Join(dir, segmentName(first))
		data, err := disk.ReadFile(path, disk.All)
		if errors.Is(err, fs.ErrNotExist) {
			continue // acknowledged meanwhile
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		last := uint64(0)
		for s := range Steps(data) {
			switch {
			case s.Torn, !s.Whole && max(last+1, first) > noted.synced: // a crash has left it
			case !s.Whole:
				behind, _ := next(data, s.End)
				if acknowledged := behind.Whole && behind.Seq-1 <= noted.saved; !acknowledged {
					errs = append(errs, fmt.Errorf("%s: %d bytes at offset %d are damaged", path, s.Size(), s.Start))
				}
			case s.Seq > last:
				last = s.Seq
				if s.Seq > noted.saved && !visit(first, s) {
					return errors.Join(errs...)
				}
			}
		}
	}
	return errors.Join(errs...)
}
