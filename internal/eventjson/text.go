package eventjson

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/internal/texts"
)

// appendText appends s as a JSON string.
func appendText(out []byte, s string) []byte {
	out = append(out, '"')
	for {
		n := plainLength(s)
		out = append(out, s[:n]...)
		if n == len(s) {
			return append(out, '"')
		}
		out, s = appendEscaped(out, s[n:])
	}
}

// plainLength returns how many bytes at the start of s stand in JSON as they are.
func plainLength(s string) int {
	const (
		ones = 0x0101010101010101
		tops = 0x8080808080808080
	)
	b := []byte(s) // which copies nothing: the compiler sees that b is only read
	i := 0
	for ; i+8 <= len(b); i += 8 {
		// Of eight bytes at once, the top bit of one that is no ASCII, below a space, a
		// quote or a backslash is set in special. A borrow may set others behind the
		// first, which is all that counts.
		v := binary.LittleEndian.Uint64(b[i:])
		special := (v | (v - ones*' ') | (v + ones) | ((v ^ ones*'"') - ones) | ((v ^ ones*'\\') - ones)) & tops
		if special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

// plain holds the bytes that stand in JSON as they are and are ASCII.
var plain = func() (set [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\' && c != 0x7f
	}
	return set
}()

// appendEscaped appends what s begins with that is not plain, and returns the
// rest. It escapes as encoding/json does: invalid bytes become the replacement
// character, and the two separators at which JavaScript ends a line are escaped. It also
// escapes the control characters that encoding/json leaves as they are and the
// characters that change the direction of text, for a line may be read in a terminal.
func appendEscaped(out []byte, s string) (more []byte, rest string) {
	for s != "" && !plain[s[0]] {
		if s[0] < utf8.RuneSelf {
			out, s = appendControl(out, s[0]), s[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case r == '\u2028' || r == '\u2029' || unicode.IsControl(r) || texts.Directional(r):
			out = append(out, '\\', 'u', hex[r>>12&0xf], hex[r>>8&0xf], hex[r>>4&0xf], hex[r&0xf])
		default:
			out = append(out, s[:size]...)
		}
		s = s[size:]
	}
	return out, s
}

const hex = "0123456789abcdef"

// appendControl appends a control character, a quote or a backslash.
func appendControl(out []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', c)
	case '\b':
		return append(out, `\b`...)
	case '\f':
		return append(out, `\f`...)
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	out = append(out, `\u00`...)
	return append(out, hex[c>>4], hex[c&0xf])
}
