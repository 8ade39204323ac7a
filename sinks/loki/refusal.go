package loki

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refused says why Loki did not take an entry where it was offered.
type refused int

const (
	refusedNot     refused = iota // Loki stored it
	refusedForGood                // nothing else can be tried
	refusedBehind                 // an hour behind its stream's newest
	refusedTime                   // too old or in the future
)

// What Loki 3 says in a 400. It stores the good entries of a request and tells of
// the others only in words. The times in them are cut to seconds.
var (
	tooOld  = regexp.MustCompile(`has timestamp too old: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	tooNew  = regexp.MustCompile(`has timestamp too new: ([^\s;,']+)`)
	behind  = regexp.MustCompile(`entry too far behind, entry timestamp is: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	ignored = regexp.MustCompile(`total ignored: (\d+) out of (\d+) for stream`)
)

const outOfOrder = "entry out of order"

// refusal is what the text of a 400 proves about the entries of its request.
type refusal struct {
	why refused // of a request with one entry

	// Timestamps in nanoseconds; 0 for none.
	oldest     int64 // what is older was refused as too old
	newest     int64 // what is this or newer was refused as too new
	behind     int64 // what is older is behind the stream, if ignoredAll
	ignoredAll int   // number of entries if all of them were ignored, or 0
}

func readRefusal(text string) refusal {
	r := refusal{why: refusedForGood}
	if strings.Contains(text, outOfOrder) {
		r.why = refusedBehind
	}
	for _, m := range behind.FindAllStringSubmatch(text, -1) {
		r.why = refusedBehind
		if at, ok := parseTime(m[1]); ok && (r.behind == 0 || at < r.behind) {
			r.behind = at
		}
	}
	if m := ignored.FindStringSubmatch(text); len(m) == 3 && m[1] == m[2] {
		r.ignoredAll, _ = strconv.Atoi(m[1]) // digits, or too many of them to be ours
	}
	// Loki checks these first, so they win.
	for _, m := range tooNew.FindAllStringSubmatch(text, -1) {
		r.why = refusedTime
		if at, ok := parseTime(m[1]); ok && (r.newest == 0 || at+int64(time.Second) < r.newest) {
			r.newest = at + int64(time.Second)
		}
	}
	if m := tooOld.FindStringSubmatch(text); m != nil {
		r.why = refusedTime
		r.oldest, _ = parseTime(m[1])
	}
	return r
}

// covers reports whether the text proves that an entry with this timestamp, one
// of n in the request, was refused for its time.
//
// Too old and too new are checked against one limit a request. Behind is
// checked entry by entry against a stream that moves, and Loki may have spread
// the request over shards; so it proves something only when nothing of the
// whole request was stored.
func (r refusal) covers(ns int64, n int) (refused, bool) {
	switch {
	case n == 1:
		return r.why, r.why == refusedBehind || r.why == refusedTime
	case r.oldest != 0 && ns < r.oldest, r.newest != 0 && ns >= r.newest:
		return refusedTime, true
	case r.behind != 0 && ns < r.behind && r.ignoredAll == n:
		return refusedBehind, true
	}
	return refusedNot, false
}

func parseTime(text string) (int64, bool) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, false
	}
	return at.UnixNano(), true
}
