package logserver

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// divide returns a pattern that some names of the entries match and others do not. When all
// have one name, the pattern is that name, and all reports that the names were selected by it
// already.
func divide(entries []Entry, selected []Match) (pattern Match, all bool) {
	var names []string
	for _, e := range entries {
		names = append(names, e.Event)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	first, last := names[0], names[len(names)-1]
	if first == last {
		pattern = Match{Pattern: regexp.QuoteMeta(first)}
		return pattern, slices.Contains(selected, pattern)
	}
	// They are divided by the first rune after what all begin with, in about equal parts.
	prefix := common(first, last)
	after := func(name string) rune {
		r, size := utf8.DecodeRuneInString(name[len(prefix):])
		if size == 0 {
			return -1
		}
		return r
	}
	low, best := rune(0), len(names)
	for i := 1; i < len(names); i++ {
		r := after(names[i-1])
		if uneven := max(i, len(names)-i); r != after(names[i]) && uneven < best {
			low, best = r, uneven
		}
	}
	if low < 0 {
		return Match{Pattern: regexp.QuoteMeta(prefix)}, false
	}
	return Match{Pattern: fmt.Sprintf(`(?s)%s[\x{0}-\x{%X}].*`, regexp.QuoteMeta(prefix), low)}, false
}

// common returns the runes that both texts begin with.
func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) {
		r, size := utf8.DecodeRuneInString(a[n:])
		if !strings.HasPrefix(b[n:], string(r)) {
			break
		}
		n += size
	}
	return a[:n]
}
