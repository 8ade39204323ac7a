package main

import "strings"

// question is one comparison: a package of benchmarks, and how to run and show it.
type question struct {
	id    string // of its files: results/ID.txt and ID.svg
	dir   string // of its package
	title string
	intro string
	runs  []run
	peers []peer
	// series is the key of a name by which a plot's points are told apart; everything else in it is of pinned.
	series string
	pinned map[string]string
	aims   []aim
	// apart is a question that is asked by its name alone: it takes long, or measures no time.
	apart bool
	// table and plot show it; as a comparison when nil.
	table func(question, *results) string
	plot  func(question, *results) (drawing, error)
}

// run is one call of the benchmark binary in every round: which benchmarks, and how many events each.
type run struct {
	pattern     string  // for -test.bench; EVENT stands for all events, or for one with -quick
	full, quick int     // events; 0 leaves the run out
	rounds      int     // at most; 0 for as many as there are
	seconds     float64 // that a full one takes on two quiet cores, to announce how long all will take
}

func (r run) benchmarks(quick bool) string {
	event := ".*"
	if quick {
		event = headlineEvent
	}
	return strings.ReplaceAll(r.pattern, "EVENT", event)
}

// headlineEvent is the event that stands for all where there is room for one.
const headlineEvent = "credential"

// peer takes part in a comparison. name stands in the results, label is for readers, and text says what its nil means.
type peer struct{ name, label, text string }

// labelOf is the name of a peer that readers see.
func (q question) labelOf(name string) string {
	for _, p := range q.peers {
		if p.name == name {
			return p.label
		}
	}
	return name
}

const ours = "ours"

// aim is a bound on a ratio of medians, or on a difference of times.
type aim struct {
	text    string
	unit    string // ns/op or cpu-ns/op
	of, by  string // peers: value(of) / value(by), or value(of) - value(by) with minus
	minus   bool
	atLeast bool // the bound is a lower one
	bound   float64
	in      []map[string]string // the settings in which it has to hold
}

func settings(key string, values ...string) (in []map[string]string) {
	for _, v := range values {
		for _, event := range []string{"credential", "egress", "prompt"} {
			in = append(in, map[string]string{key: v, "event": event})
		}
	}
	return in
}

var allEvents = []map[string]string{{"event": "credential"}, {"event": "egress"}, {"event": "prompt"}}
