package main

import (
	"slices"
	"strconv"
	"strings"
)

// growthTable has a row for every number of events or writers.
func growthTable(q question, r *results) string {
	key := growthKey(q)
	t := newTable([]string{"sink", key, "time", "±", "events/s", "CPU", "B", "allocs", "heap", "runs"}, 1)
	for _, c := range sortedBy(r, key) {
		time := c.summary(unitTime)
		t.add([]string{
			c.keys["sink"], thousands(c.keys[key]), duration(time.Center), spread(c), rate(time.Center), duration(c.median(unitCPU)),
			number(c.median(unitBytes)), number(c.median(unitAllocs)), mebibytes(c.median(unitHeap)), strconv.Itoa(len(c.samples[unitTime])),
		})
	}
	return t.String()
}

// spread is empty where there is one run only.
func spread(c *cell) string {
	if len(c.samples[unitTime]) == 1 {
		return ""
	}
	return c.summary(unitTime).PctRangeString()
}

func growthKey(q question) string {
	if q.id == "growth-writers" {
		return "writers"
	}
	return "events"
}

// sortedBy are the cells by sink, then by a number.
func sortedBy(r *results, key string) []*cell {
	cells := slices.Clone(r.cells)
	slices.SortStableFunc(cells, func(a, b *cell) int {
		if a.keys["sink"] != b.keys["sink"] {
			if a.keys["sink"] < b.keys["sink"] {
				return -1
			}
			return 1
		}
		return int(value(a, key) - value(b, key))
	})
	return cells
}

func value(c *cell, key string) float64 {
	x, _ := strconv.ParseFloat(c.keys[key], 64)
	return x
}

func mebibytes(b float64) string { return digits(b/(1<<20)) + " MiB" }

// linkedTable has a row for every program.
func linkedTable(_ question, r *results) string {
	t := newTable([]string{"program", "size", "over empty", "modules"}, 1)
	empty := r.cells[0].median("size-B")
	for _, c := range r.cells {
		size := c.median("size-B")
		t.add([]string{c.keys["program"], mebibytes(size), mebibytes(size - empty), number(c.median("modules"))})
	}
	return t.String()
}

// readingTable has a row for every peer of every query, with the time of the whole file.
func readingTable(q question, r *results) string {
	t := newTable([]string{"query", "who", "time", "±", "beside ours", "lines/s", "CPU", "runs"}, 2)
	for _, setting := range r.settings() {
		for _, p := range q.peers {
			c := r.find(p.name, setting)
			if c == nil {
				continue
			}
			lines, time := value(c, "events"), c.summary(unitTime)
			t.add([]string{
				setting["query"], bold(p.label, p.name == ours), duration(time.Center * lines), strings.TrimPrefix(spread(c), "±"),
				ratio(c, r.find(ours, setting)), rate(time.Center), duration(c.median(unitCPU) * lines), strconv.Itoa(len(c.samples[unitTime])),
			})
		}
	}
	return t.String()
}
