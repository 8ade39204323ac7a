package log

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/disk"
)

func TestBackupsKeepTheNewestAndOnlyTheirOwn(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	others := []string{"audit.log", "audit-old.log", "audit-2026-03-01.log", "other-2026-03-01T10-00-00.000-size.log", "audit-2026-03-01T10-00-00.000-size.txt"}
	name := func(day int, suffix string) string {
		return fmt.Sprintf("audit-2026-03-%02dT10-00-00.000-size%s", day, suffix)
	}
	for what, test := range map[string]struct {
		opts FileOptions
		want []string
	}{
		"number":   {FileOptions{MaxBackups: 2}, []string{name(4, ".log"), name(3, "_1.log")}},
		"age":      {FileOptions{MaxAgeDays: 8}, []string{name(4, ".log"), name(3, "_1.log"), name(3, ".log")}},
		"compress": {FileOptions{Compress: true, MaxBackups: 2}, []string{name(4, ".log.gz"), name(3, "_1.log.gz")}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range append(slices.Clone(others), name(4, ".log"), name(3, ".log"), name(3, "_1.log"), name(2, ".log.gz"), name(1, ".log")) {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b := newBackups(test.opts, disk.OS)
			if err := b.clean(filepath.Join(dir, "audit.log"), now); err != nil {
				t.Fatal(err)
			}
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
			want := append(slices.Clone(others), test.want...)
			slices.Sort(want)
			var got []string
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(got, want) {
				t.Errorf("left are %v, want %v", got, want)
			}
		})
	}
}

func TestUnfinishedCompressionCountsAsNoBackup(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"audit-2026-03-01T10-00-00.000-size", "audit-2026-03-02T10-00-00.000-size.gz.part"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := disk.Backups(filepath.Join(dir, "audit"), compressed); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v, want the first alone", found, err)
	}
}

func TestBackupsReportWhatTheyCannotCompress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	name := filepath.Join(filepath.Dir(path), "audit-2026-03-01T10-00-00.000-size.log")
	// A FIFO in place of a backup, whose compressed form is there.
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name+compressed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBackups(FileOptions{Compress: true}, disk.OS)
	b.tidy(path)
	if err := b.close(); err == nil {
		t.Error("the FIFO was taken for a backup")
	}
}
