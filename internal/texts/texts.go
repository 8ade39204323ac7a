// Package texts shortens texts visibly, and escapes what a terminal would act on.
package texts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fits reports whether s is valid UTF-8 of at most limit code points, as the schema
// counts them. It counts only when the number of bytes does not decide.
func Fits(s string, limit int) bool {
	return utf8.ValidString(s) && (len(s) <= limit || len(s) <= utf8.UTFMax*limit && utf8.RuneCountInString(s) <= limit)
}

// Shorten is driver.Shorten.
func Shorten(text string, limit int) string {
	if Fits(text, limit) {
		return text
	}
	clean := strings.ToValidUTF8(text, "\uFFFD")
	if Fits(clean, limit) {
		return clean
	}
	mark := markOf(text)
	keep := limit - utf8.RuneCountInString(mark)
	for i := range clean {
		if keep <= 0 {
			return clean[:i] + mark
		}
		keep--
	}
	return clean + mark
}

// shortest is the least number of bytes of a text that Shorten has cut.
const shortest = 64

// Cut reports that s holds a mark of Shorten, or what looks like one.
func Cut(s string) bool {
	if len(s) < shortest {
		return false
	}
	_, behind, found := strings.Cut(s, "…[")
	return found && strings.Contains(behind, " bytes, sha256 ")
}

// markOf returns what stands for the end of a text that was shortened.
func markOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("…[%d bytes, sha256 %s]", len(text), hex.EncodeToString(sum[:6]))
}

// IsShortened reports that short is what Shorten makes of whole with some limit.
func IsShortened(short, whole string) bool {
	start, marked := strings.CutSuffix(short, markOf(whole))
	return marked && strings.HasPrefix(strings.ToValidUTF8(whole, "\uFFFD"), start)
}

// Visible returns s with its control characters escaped as in JSON: those that end a line
// or move a terminal's cursor, and those that change the direction of text.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune("\n\r\t", r):
			b.WriteString(strings.Trim(strconv.Quote(string(r)), `"`))
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r) // all are below U+10000
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || Directional(r)
}

// Directional reports that r changes the direction of the text around it (Unicode's
// property Bidi_Control), so that a reader sees other text than is there.
func Directional(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }
