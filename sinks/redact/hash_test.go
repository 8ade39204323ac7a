package redact_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/redact"
)

func TestTheKeyIsThatOfTheTimeOfTheEvent(t *testing.T) {
	three := append(keys(), redact.Key{ID: "newest", Secret: bytes.Repeat([]byte("3"), 32), From: noon.Add(time.Hour)})
	three[0].From = noon.Add(-time.Hour)
	three[0], three[2] = three[2], three[0] // in any order
	for _, c := range []struct {
		after time.Duration // noon
		want  string
	}{
		{-24 * time.Hour, "old"}, // before the first
		{-time.Hour, "old"},
		{-1, "old"},
		{0, "new"},
		{time.Hour - 1, "new"},
		{time.Hour, "newest"},
		{24 * time.Hour, "newest"},
	} {
		hashes, err := redact.Hashes(three, "jane", noon.Add(c.after))
		if err != nil || len(hashes) != 1 || hashes[0].KeyID != c.want {
			t.Errorf("%v after noon: %v, %v, want %s", c.after, hashes, err, c.want)
		}
	}
	all, err := redact.Hashes(three, "jane", time.Time{})
	if err != nil || len(all) != 3 || all[0].KeyID != "old" || all[2].KeyID != "newest" {
		t.Errorf("all: %v, %v", all, err)
	}
}

func TestAHashIsTheStartOfHMACSHA256(t *testing.T) {
	hashes, err := redact.Hashes(keys(), "jane@example.com", noon)
	if err != nil || len(hashes) != 1 || hashes[0].Text != hashOfJane {
		t.Errorf("%v, %v", hashes, err)
	}
	if empty, _ := redact.Hashes(keys(), "", noon); empty[0].Text != "" {
		t.Errorf("the empty text has the hash %s", empty[0].Text)
	}
	if _, err := redact.Hashes([]redact.Key{{ID: "a"}}, "x", noon); err == nil {
		t.Error("no error for a short key")
	}
}
