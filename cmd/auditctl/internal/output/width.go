package output

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columnsOf counts the columns of a terminal that a text takes.
func columnsOf(text string) (n int) {
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

func columnsOfRune(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	case width.Neutral, width.EastAsianAmbiguous, width.EastAsianNarrow, width.EastAsianHalfwidth:
	}
	return 1
}

// cut shortens a text to a number of columns, with an ellipsis at its end.
func cut(text string, columns int) string {
	if columnsOf(text) <= columns {
		return text
	}
	room := columns - 1
	for i, r := range text {
		if room -= columnsOfRune(r); room < 0 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}

// padding returns the spaces that make a text as wide as columns.
func padding(text string, columns int) string {
	return strings.Repeat(" ", max(0, columns-columnsOf(text)))
}
