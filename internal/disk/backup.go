package disk

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// backupTime is the time in the name of a backup, in UTC.
	backupTime = "2006-01-02T15-04-05.000"
	// backupReason follows the time, in names that timberjack gives as well.
	backupReason = "size"
)

// Backup is a rotated file beside a log, compressed or not.
type Backup struct {
	// Name in the directory of the log, without the suffix of a compressed form.
	Name string
	// Time of the rotation.
	Time time.Time
}

// BackupPath returns the path of the backup of the log at path that is made at the given
// time: audit-2026-03-01T10-00-00.000-size.log beside audit.log.
func BackupPath(path string, at time.Time) string {
	begin, end := backupAffixes(path)
	return filepath.Join(filepath.Dir(path), begin+at.UTC().Format(backupTime)+"-"+backupReason+end)
}

// backupAffixes returns how the names of the backups of the log at path begin and end.
func backupAffixes(path string) (begin, end string) {
	base := filepath.Base(path)
	end = filepath.Ext(base)
	return strings.TrimSuffix(base, end) + "-", end
}

// Backups returns the backups of the log at path, the newest first. A backup may have one of
// the suffixes behind its name; with and without, it is one backup.
func Backups(path string, suffixes ...string) ([]Backup, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	begin, end := backupAffixes(path)
	var found []Backup
	for _, e := range entries {
		name := e.Name()
		for _, suffix := range suffixes {
			if trimmed, ok := strings.CutSuffix(name, suffix); ok {
				name = trimmed
				break
			}
		}
		if !e.Type().IsRegular() || !strings.HasPrefix(name, begin) || !strings.HasSuffix(name, end) || len(name) < len(begin)+len(end) {
			continue
		}
		// timberjack gave a number to the second backup of a millisecond: size_1.
		stamp := name[len(begin) : len(name)-len(end)]
		reason := strings.LastIndexByte(stamp, '-') + 1
		if at, err := time.Parse(backupTime+"-", stamp[:reason]); err == nil && reason < len(stamp) && !strings.Contains(stamp[reason:], ".") {
			found = append(found, Backup{Name: name, Time: at})
		}
	}
	slices.SortFunc(found, func(a, b Backup) int {
		return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.Name, a.Name))
	})
	return slices.Compact(found), nil // a file and its compressed form are one
}
