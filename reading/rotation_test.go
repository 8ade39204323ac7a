package reading_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/log"
)

// The real sink rotates as fast as it can, and packs and removes.
func TestFollowLosesNothingToTheSinksRotation(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string]bool{"backups": false, "packed backups": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "audit.log")
			sink, err := log.NewFile(path, log.FileOptions{Options: log.Options{Component: "proxy"}, MaxSizeMB: 1, Compress: packed})
			if err != nil {
				t.Fatal(err)
			}
			all := events(t, 8000) // more than four files
			f := follow(t, path)
			for i, ae := range all {
				if err := sink.Write(t.Context(), ae.DeepCopy()); err != nil {
					t.Fatal(err)
				}
				if i == 1000 {
					f.until("the first event", func() bool { return len(f.names) > 0 })
				}
			}
			f.until("the last event", func() bool { return len(f.names) >= len(all) })
			if err := sink.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.events(all)
			extra := event(t, len(all))
			appendTo(t, path, logged(t, extra))
			f.events(append(all, extra)) // and no backup came twice
			backups, err := disk.Backups(path, ".gz")
			if err != nil || len(backups) < 3 {
				t.Errorf("only %d rotations: %v", len(backups), err)
			}
		})
	}
}

func TestReadLosesNothingToTheSinksRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	sink, err := log.NewFile(path, log.FileOptions{Options: log.Options{Component: "proxy"}, MaxSizeMB: 1, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	all := events(t, 10_000)
	written := make(chan int, len(all))
	go func() {
		defer close(written)
		for i, ae := range all {
			if err := sink.Write(t.Context(), ae.DeepCopy()); err != nil {
				t.Error(err)
				return
			}
			written <- i + 1
		}
	}()
	for before := range written {
		for len(written) > 0 {
			before = <-written
		}
		got := read(t, reading.Files("files", path), &reading.Query{})
		for _, foreign := range got.foreign {
			if !errors.Is(foreign, reading.ErrUnfinished) {
				t.Errorf("foreign lines: %v", foreign)
			}
		}
		names := slices.Compact(got.names())
		if got.err != nil || len(names) < before || !slices.Equal(names, namesOf(all[:len(names)])) {
			t.Fatalf("%d events of %d that were there, %v", len(names), before, got.err)
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
