package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// confidence of the intervals, as benchstat has it.
const confidence = 0.95

// The units that are shown.
const (
	unitTime   = "ns/op"
	unitCPU    = "cpu-ns/op"
	unitBytes  = "B/op"
	unitAllocs = "allocs/op"
	unitLost   = "lost"
	unitSyncs  = "fsyncs/op"
	unitHeap   = "heap-B"
)

// results are the samples of one question, by setting and peer.
type results struct {
	config map[string]string
	cells  []*cell // in the order of their first appearance
}

// cell is one peer in one setting.
type cell struct {
	keys    map[string]string // of the benchmark's name, and events: how many of them
	samples map[string][]float64
}

// read reads a results file.
func read(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &results{config: map[string]string{}}
	byName := map[string]*cell{}
	reader := benchfmt.NewReader(bytes.NewReader(text), path)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			name := fmt.Sprintf("%s %d", record.Name, record.Iters)
			c := byName[name]
			if c == nil {
				c = &cell{keys: keysOf(record), samples: map[string][]float64{}}
				byName[name] = c
				r.cells = append(r.cells, c)
			}
			for _, v := range record.Values {
				if v.OrigUnit != "" {
					v.Value, v.Unit = v.OrigValue, v.OrigUnit
				}
				c.samples[v.Unit] = append(c.samples[v.Unit], v.Value)
			}
			for _, line := range record.Config {
				r.config[line.Key] = string(line.Value)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, err
	}
	if len(r.cells) == 0 {
		return nil, fmt.Errorf("%s holds no results", path)
	}
	return r, nil
}

func keysOf(record *benchfmt.Result) map[string]string {
	keys := map[string]string{"events": strconv.Itoa(record.Iters)}
	_, parts := record.Name.Parts()
	for _, part := range parts {
		if key, value, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "="); ok {
			keys[key] = value
		}
	}
	return keys
}

// find returns the cell of a peer in a setting, and nil when it was not measured.
func (r *results) find(peer string, setting map[string]string) *cell {
	for _, c := range r.cells {
		if c.keys["peer"] == peer && c.in(setting) {
			return c
		}
	}
	return nil
}

func (c *cell) in(setting map[string]string) bool {
	for key, value := range setting {
		if c.keys[key] != value {
			return false
		}
	}
	return true
}

// settings are those that were measured, without peers and numbers of events, in the order of numbers and events.
func (r *results) settings() []map[string]string {
	var all []map[string]string
	for _, c := range r.cells {
		setting := maps.Clone(c.keys)
		delete(setting, "peer")
		delete(setting, "events")
		if !slices.ContainsFunc(all, func(other map[string]string) bool { return maps.Equal(other, setting) }) {
			all = append(all, setting)
		}
	}
	slices.SortStableFunc(all, func(a, b map[string]string) int {
		x, _ := strconv.Atoi(a["writers"])
		y, _ := strconv.Atoi(b["writers"])
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(b["to"], a["to"]), cmp.Compare(a["event"], b["event"]))
	})
	return all
}

// has tells whether any cell reports the unit.
func (r *results) has(unit string) bool {
	return slices.ContainsFunc(r.cells, func(c *cell) bool { return len(c.samples[unit]) > 0 })
}

func (c *cell) sample(unit string) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(c.samples[unit]), &benchmath.DefaultThresholds)
}

// summary is the median and its interval.
func (c *cell) summary(unit string) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(c.sample(unit), confidence)
}

func (c *cell) median(unit string) float64 { return c.summary(unit).Center }

// differs tells whether two cells' times differ by more than chance explains, as benchstat does.
func (c *cell) differs(other *cell, unit string) bool {
	comparison := benchmath.AssumeNothing.Compare(c.sample(unit), other.sample(unit))
	return comparison.P <= comparison.Alpha
}

// knows refuses results with a peer that the question does not show.
func (q question) knows(r *results) error {
	for _, c := range r.cells {
		name := c.keys["peer"]
		if name != "" && !slices.ContainsFunc(q.peers, func(p peer) bool { return p.name == name }) {
			return fmt.Errorf("%s: the results hold the peer %q, which questions.go does not describe", q.id, name)
		}
	}
	return nil
}
