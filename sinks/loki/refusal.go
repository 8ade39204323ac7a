package loki

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refused says why Loki refused an entry in its stream and at its time. Loki may accept
// the entry in another stream, or at another time.
type refused int

const (
	refusedNot    refused = iota // Loki has stored the entry, or would refuse it anywhere
	refusedBehind                // an hour behind its stream's newest
	refusedTime                  // too old or in the future
)

// These are parts of the text of a 400 by Loki 3. Loki tells only in this text which entries
// it has refused. The times in it are rounded down to seconds.
var (
	tooOld  = regexp.MustCompile(`has timestamp too old: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	tooNew  = regexp.MustCompile(`has timestamp too new: ([^\s;,']+)`)
	behind  = regexp.MustCompile(`entry too far behind, entry timestamp is: \S+, oldest acceptable timestamp is: ([^\s;,']+)`)
	ignored = regexp.MustCompile(`total ignored: (\d+) out of (\d+) for stream`)
)

// refusal holds what the text of a 400 proves about the entries of the request.
type refusal struct {
	why refused // of a request with one entry

	// Timestamps in nanoseconds; 0 for none.
	oldest     int64 // older entries were refused as too old
	newest     int64 // entries of this time or newer were refused as too new
	behind     int64 // older entries are behind the stream, if ignoredAll is not 0
	ignoredAll int   // the number of entries if all of them were ignored, otherwise 0
}

func readRefusal(text string) (r refusal) {
	if at, found := earliest(behind, text); found || strings.Contains(text, "entry out of order") {
		r.why, r.behind = refusedBehind, at
	}
	if m := ignored.FindStringSubmatch(text); len(m) == 3 && m[1] == m[2] {
		r.ignoredAll, _ = strconv.Atoi(m[1]) // fails for a number that is too large to be ours
	}
	// Loki checks these limits first, so they take precedence.
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

// earliest returns the earliest time that re finds in text, or 0 when it cannot be parsed.
func earliest(re *regexp.Regexp, text string) (ns int64, found bool) {
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		found = true
		if at, err := time.Parse(time.RFC3339, m[1]); err == nil && (ns == 0 || at.UnixNano() < ns) {
			ns = at.UnixNano()
		}
	}
	return ns, found
}

// covers returns why an entry with this timestamp was refused, if the text proves that it
// was refused for its time. n is the number of entries in the request.
//
// The limits for too old and too new are the same for all entries of a request. The limit
// for behind moves with each entry that Loki stores, and differs between the shards to
// which Loki may have sent the entries. So the text proves that an entry is behind only when
// Loki stored none of the request.
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
