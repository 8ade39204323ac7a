package logql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind says what a token is.
type kind int

const (
	kindEnd      kind = iota
	kindName          // a name, a keyword or a function
	kindText          // a quoted string, its value without the quotes
	kindNumber        // digits
	kindDuration      // 1h, 90s
	kindSign          // an operator or a bracket
)

type token struct {
	kind kind
	text string
	at   int // byte offset in the query
}

// signs are the operators and brackets. An operator comes before others that it begins with.
var signs = []string{"|=", "|~", "!=", "!~", "=~", "|", "=", "{", "}", "(", ")", "[", "]", ","}

// lex splits a query into tokens. The last token is of kindEnd.
func lex(query string) ([]token, error) {
	var tokens []token
	for at := 0; ; {
		rest := query[at:]
		trimmed := strings.TrimLeft(rest, " \t\r\n")
		at += len(rest) - len(trimmed)
		if trimmed == "" {
			return append(tokens, token{kind: kindEnd, at: at}), nil
		}
		t, size, err := next(trimmed)
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		t.at = at
		tokens = append(tokens, t)
		at += size
	}
}

// next returns the token at the beginning of text, and its length in bytes.
func next(text string) (token, int, error) {
	switch c := text[0]; {
	case c == '"' || c == '`':
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return token{}, 0, fmt.Errorf("a string without an end or with a wrong escape: %.40s", text)
		}
		value, err := strconv.Unquote(quoted)
		return token{kind: kindText, text: value}, len(quoted), err
	case isLetter(c):
		n := 1
		for n < len(text) && (isLetter(text[n]) || isDigit(text[n])) {
			n++
		}
		return token{kind: kindName, text: text[:n]}, n, nil
	case isDigit(c):
		n, kind := 1, kindNumber
		for n < len(text) && (isLetter(text[n]) || isDigit(text[n]) || text[n] == '.') {
			if isLetter(text[n]) {
				kind = kindDuration
			}
			n++
		}
		return token{kind: kind, text: text[:n]}, n, nil
	}
	for _, sign := range signs {
		if strings.HasPrefix(text, sign) {
			return token{kind: kindSign, text: sign}, len(sign), nil
		}
	}
	r, _ := utf8.DecodeRuneInString(text)
	return token{}, 0, fmt.Errorf("unexpected character %q", r)
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
