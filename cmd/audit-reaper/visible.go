package main

import (
	"io"
	"strings"

	"github.com/paddock-dev/audit/internal/texts"
)

// visible writes to a terminal what may hold text of others: names and messages of a
// server, or of a file. It escapes what would act on the terminal, and keeps the ends
// of lines and tabs.
type visible struct{ to io.Writer }

// Write reports all of p as written when its escaped form was.
func (v visible) Write(p []byte) (int, error) {
	var b strings.Builder
	for _, r := range string(p) { // of a byte that is no text, U+FFFD
		if r == '\n' || r == '\t' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(texts.Visible(string(r)))
	}
	if _, err := io.WriteString(v.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
