// Package logserver has what reading events from Loki and from VictoriaLogs has in common:
// requests, pages, windows of time, folding and polling. What differs is a Dialect.
package logserver

import (
	"io"
	"net/url"

	"github.com/paddock-dev/audit/reading"
)

// Entry is a line as the server holds it.
type Entry struct {
	// Time under which the line is stored, in nanoseconds since 1970.
	Time int64
	// Event is the name of the event, from the metadata; "" for none.
	Event string
	Line  string
}

// Page says which entries are asked for: those with From <= Time < To, oldest first, and
// no more than Limit.
type Page struct {
	// Late selects the streams of late events, and otherwise the regular ones.
	Late     bool
	From, To int64
	// Names that Event has. All of them hold.
	Names []Match
	Limit int
}

// Match is a regular expression (RE2) for a whole text.
type Match struct {
	Pattern string
	Not     bool
}

// Dialect is the language of a kind of server.
type Dialect interface {
	// Request returns the path and the parameters that ask for a page.
	Request(q *reading.Query, p Page) (path string, parameters url.Values)
	// Decode returns the entries of an answer in any order.
	Decode(body io.Reader) ([]Entry, error)
	// TooMuch reports a refusal because the page has too many entries or bytes, and TooLong
	// one because From and To are too far apart.
	TooMuch(text string) bool
	TooLong(text string) bool
}
