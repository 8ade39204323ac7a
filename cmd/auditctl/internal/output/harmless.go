package output

import (
	"strings"

	"github.com/paddock-dev/audit/internal/texts"
)

// Harmless returns a line of text as a terminal may get it: valid UTF-8, because a terminal
// of 8-bit characters acts on some of the other bytes, without control characters.
func Harmless(line string) string {
	for i := range len(line) {
		if line[i] < ' ' || line[i] > '~' {
			return texts.Visible(strings.ToValidUTF8(line, "\uFFFD"))
		}
	}
	return line // nearly every line
}
