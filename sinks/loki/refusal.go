package loki

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refused says that Loki did not take an entry where it was offered, and that it may
// take it elsewhere.
type refused int

const (
	refusedNot    refused = iota // Loki stored it, or will not take it anywhere
	refusedBehind                // an hour behind its stream's newest
	refusedTime                  // too old or in the future
)

// What Loki 3 says in a 400. It stores the good entries of a request and tells of
// the others only in words. The times in them are cut to seconds.
var (
	tooOld  = regexp.MustCompile(`has timestamp too old: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	tooNew  = regexp.MustCompile(`has timestamp too new: ([^\s;,']+)`)
	behind  = regexp.MustCompile(`entry too far behind, entry timestamp is: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	ignored = regexp.MustCompile(`total ignored: (\d+) out of (\d+) for stream`)
)

// refusal is what the text of a 400 proves about the entries of its request.
type refusal struct {
	why refused // of a request with one entry

	// Timestamps in nanoseconds; 0 for none.
	oldest     int64 // what is older was refused as too old
	newest     int64 // what is this or newer was refused as too new
	behind     int64 // what is older is behind the stream, if ignoredAll
	ignoredAll int   // number of entries if all of them were ignored, or 0
}

func readRefusal(text string) (r refusal) {
	if at, found := earliest(behind, text); found || strings.Contains(text, "entry out of order") {
		r.why, r.behind = refusedBehind, at
	}
	if m := ignored.FindStringSubmatch(text); len(m) == 3 && m[1] == m[2] {
		r.ignoredAll, _ = strconv.Atoi(m[1]) // digits, or too many of them to be ours
	}
	// Loki checks these first, so they win.
	if at, found := earliest(tooNew, text); found {
		r.why = refusedTime
		if at != 0 {
			r.newest = at + int64(time.Second)
		}
	}
	if at, found := earliest(tooOld, text); found {
		r.why, r.oldest = refusedTime, at
	}
	return r
}

// earliest returns the earliest time of what re finds, 0 when none can be read.
func earliest(re *regexp.Regexp, text string) (ns int64, found bool) {
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		found = true
		if at, err := time.Parse(time.RFC3339, m[1]); err == nil && (ns == 0 || at.UnixNano() < ns) {
			ns = at.UnixNano()
		}
	}
	return ns, found
}

// covers returns why an entry with this timestamp, one of n in the request, was
// refused, if the text proves that it was refused for its time.
//
// Too old and too new are checked against one limit a request. Behind is
// checked entry by entry against a stream that moves, and Loki may have spread
// the request over shards; so it proves something only when nothing of the
// whole request was stored.
func (r refusal) covers(ns int64, n int) refused {
	switch {
	case n == 1:
		return r.why
	case r.oldest != 0 && ns < r.oldest, r.newest != 0 && ns >= r.newest:
		return refusedTime
	case r.behind != 0 && ns < r.behind && r.ignoredAll == n:
		return refusedBehind
	}
	return refusedNot
}
