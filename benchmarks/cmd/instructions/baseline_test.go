package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "instructions.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAlarmNamesWhatHasGrown(t *testing.T) {
	known, err := readBaseline(fileOf(t, "go1.26.0 linux/amd64\nbuild 1000\nlog 1000\ngone 1000\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := &baseline{counts: []counted{{"build", 1050}, {"log", 1051}, {"new", 1}}}
	err = now.alarm(known)
	if err == nil {
		t.Fatal("no alarm")
	}
	for part, want := range map[string]bool{"path log takes 1051": true, "path new is not": true, "path gone": true, "path build": false} {
		if got := strings.Contains(err.Error(), part); got != want {
			t.Errorf("the alarm is %q: %q in it: %v, want %v", err, part, got, want)
		}
	}
	if err := known.alarm(known); err != nil {
		t.Errorf("an alarm although nothing changed: %v", err)
	}
}

func TestWrittenCountsAreReadAgain(t *testing.T) {
	b := &baseline{toolchain: toolchain(), counts: []counted{{"build", 2289}, {"log", 18298}}}
	got, err := readBaseline(fileOf(t, string(b.text())))
	if err != nil || !bytes.Equal(got.text(), b.text()) || got.toolchain != b.toolchain {
		t.Errorf("read %+v, %v; want %+v", got, err, b)
	}
}

func TestABrokenLineIsNamed(t *testing.T) {
	for _, line := range []string{"build", "build many", "build -1"} {
		if _, err := readBaseline(fileOf(t, "go1.26.0 linux/amd64\n"+line+"\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want an error that names line 2", line, err)
		}
	}
}

// Each path is walked without valgrind, so that none is broken when somebody counts.
func TestEveryPathCanBeWalked(t *testing.T) {
	for _, p := range paths {
		each, err := p.open(t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		for range 10 {
			if err := each(t.Context()); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}
