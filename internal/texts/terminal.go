package texts

import (
	"io"
	"strings"
)

// Terminal writes what may hold text of others to a terminal: names and messages of a server or of
// a file, or JSON, in which encoding/json leaves some of the characters that a terminal acts on. It
// escapes these as Visible does, and keeps the ends of lines and tabs. JSON stays the same, for
// such characters are in its strings only.
type Terminal struct{ To io.Writer }

// Write reports all of p as written when its escaped form was.
func (t Terminal) Write(p []byte) (int, error) {
	var b strings.Builder
	for _, r := range string(p) { // of a byte that is no text, U+FFFD
		if r == '\n' || r == '\t' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(Visible(string(r)))
	}
	if _, err := io.WriteString(t.To, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
