package main

import (
	"strconv"
)

// drainSpool is what `make bench-drain` asks.
var drainSpool = question{
	id: "drain", apart: true, dir: "drain", title: "Delivering a backlog",
	intro: "A spool delivers what an outage has left in it: 1,000,000 events to a VictoriaLogs of its own, and 50,000 to an API server, " +
		"with the defaults. The limit is the same requests, prepared beforehand, with as many in flight. Then the same while 64 " +
		"writers write to the spool, each the next event once the last is stored; to the API server with 10,000. The shares are of " +
		"the drain without writers, and of the writers without a drain. Heap and RSS are the most that the process had in use, " +
		"looked at every 10 ms.",
	runs: []run{
		{pattern: "Drain/to=victorialogs/peer=.*", full: 1_000_000, quick: 20_000, rounds: 1, seconds: 170},
		{pattern: "Drain/to=kube/peer=(ours|limit)$", full: 50_000, quick: 2_000, rounds: 1, seconds: 250},
		{pattern: "Drain/to=kube/peer=(ours-beside-writers|writers)$", full: 10_000, quick: 2_000, rounds: 1, seconds: 60},
	},
	peers: []peer{
		{ours, "this library, drain", "the chain spool(loki) or spool(kube), from the first request until everything is delivered"},
		{"limit", "limit", "bare POSTs of the requests that the sink sends, two in flight, or `client.Create` of the same objects by 16 goroutines"},
		{"limit-one", "limit, one in flight", "the POSTs one after the other"},
		{"ours-beside-writers", "this library, drain beside 64 writers", "the drain while 64 writers go on"},
		{"writers", "this library, 64 writers alone", "the writers while the destination does not answer"},
	},
	series: "to", table: drainTable,
	aims: []aim{
		{text: "A drain at 0.8 of the limit", unit: unitTime, of: "limit", by: ours, bound: 0.8, atLeast: true, in: drainTo},
		{text: "A drain beside writers at 0.25 of the drain alone", unit: unitTime, of: ours, by: "ours-beside-writers", bound: 0.25, atLeast: true, in: drainTo},
	},
}

var drainTo = []map[string]string{{"to": "victorialogs"}, {"to": "kube"}}

const (
	unitWritten = "written/s"
	unitRate    = "events/s"
)

// drainTable has a row for every peer at every destination, with the shares of a drain beside writers.
func drainTable(q question, r *results) string {
	t := newTable([]string{"to", "who", "events", "events/s", "share", "written/s", "share of the writers", "CPU", "heap", "RSS", "backlog", "lost"}, 2)
	for _, setting := range drainTo {
		for _, p := range q.peers {
			c := r.find(p.name, setting)
			if c == nil {
				continue
			}
			share, written, ofWriters := r.drainShares(c, setting)
			t.add([]string{
				setting["to"], bold(p.label, p.name == ours), thousands(c.keys["events"]), number(c.median(unitRate)), share, written, ofWriters,
				duration(c.median(unitCPU)), inMebibytes(c, "peak-heap-B"), inMebibytes(c, "peak-rss-B"), inMebibytes(c, "backlog-B"), lostOf(c),
			})
		}
	}
	return t.String()
}

// drainShares are those of a drain in the limit, and of a drain beside writers in the drain and the writers alone.
func (r *results) drainShares(c *cell, setting map[string]string) (share, written, ofWriters string) {
	of := map[string]string{ours: "limit", "ours-beside-writers": ours}[c.keys["peer"]]
	if whole := r.find(of, setting); whole != nil {
		share = strconv.FormatFloat(c.median(unitRate)/whole.median(unitRate), 'f', 2, 64)
	}
	if c.samples[unitWritten] == nil {
		return share, "", ""
	}
	written = number(c.median(unitWritten))
	if alone := r.find("writers", setting); alone != nil {
		ofWriters = strconv.FormatFloat(c.median(unitWritten)/alone.median(unitRate), 'f', 2, 64)
	}
	return share, written, ofWriters
}

func inMebibytes(c *cell, unit string) string {
	if c.samples[unit] == nil {
		return ""
	}
	return mebibytes(c.median(unit))
}

func lostOf(c *cell) string {
	if c.samples[unitLost] == nil {
		return ""
	}
	return number(c.median(unitLost))
}
