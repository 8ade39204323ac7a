package names

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Fits reports whether s is valid UTF-8 of at most limit code points, as the schema
// counts them. It counts only where the number of bytes leaves it open.
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
	sum := sha256.Sum256([]byte(text))
	mark := fmt.Sprintf("…[%d bytes, sha256 %s]", len(text), hex.EncodeToString(sum[:6]))
	keep := limit - utf8.RuneCountInString(mark)
	for i := range clean {
		if keep <= 0 {
			return clean[:i] + mark
		}
		keep--
	}
	return clean + mark
}
