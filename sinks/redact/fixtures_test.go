package redact_test

import (
	"bytes"
	"time"

	"github.com/paddock-dev/audit/sinks/redact"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)

// keys are two, of which the second begins at noon.
func keys() []redact.Key {
	return []redact.Key{
		{ID: "old", Secret: bytes.Repeat([]byte("o"), 32)},
		{ID: "new", Secret: bytes.Repeat([]byte("n"), 32), From: noon},
	}
}
