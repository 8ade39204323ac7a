package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
)

// comparison is a row of the README's table: a peer of this library, and the best of the others whose nil promises the same.
type comparison struct {
	what     string
	question question
	setting  map[string]string
	ours     string
	other    string
}

var comparisons = []comparison{
	{"a log file", logFile, map[string]string{"event": headlineEvent}, ours, "zap-core"},
	{"a log file, fsynced, 64 writers", durable, map[string]string{"event": headlineEvent, "writers": "64"}, "ours-log-fsync", "pebble"},
	{"Loki's protocol, 1,024 writers", lokiPush, map[string]string{"event": headlineEvent, "writers": "1024"}, ours, "post"},
	{"the API server, 8 writers", kubeCreate, map[string]string{"event": headlineEvent, "writers": "8"}, ours, "create-named"},
	{"three log files at once", fanOut, map[string]string{"event": headlineEvent, "to": "files"}, ours, "eventlogger"},
}

// glanced is a comparison that was measured.
type glanced struct {
	comparison

	own, others *cell
	date        string
}

// glance returns the comparisons that were measured, from the results by the question's id.
func glance(all map[string]*results) (rows []glanced) {
	for _, c := range comparisons {
		r := all[c.question.id]
		if r == nil {
			continue
		}
		row := glanced{c, r.find(c.ours, c.setting), r.find(c.other, c.setting), r.config[keyDate]}
		if row.own != nil && row.others != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// glanceBlock is the README's table, with its plot.
func glanceBlock(config map[string]string, rows []glanced) string {
	var dates []string
	for _, row := range rows {
		dates = append(dates, row.date)
	}
	slices.Sort(dates)
	var b strings.Builder
	fmt.Fprintf(&b, "Time for one credential-issued event, beside the best of those whose success promises the same: medians of interleaved rounds on\n"+
		"%s (%s). [docs/benchmarks.md](docs/benchmarks.md) has everybody\nelse, what each one promises and loses, spreads, processor time and allocations.\n\n"+
		"| to | this library | best of the others | ratio |\n| --- | ---: | ---: | ---: |\n", config[keyMachine], strings.Join(slices.Compact(dates), " and "))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | **%s** | %s, %s | %s |\n", row.what, duration(row.own.median(unitTime)),
			row.question.labelOf(row.other), duration(row.others.median(unitTime)), ratio(row.own, row.others))
	}
	b.WriteString("\nA ratio below 1 says that this library is faster, ~ that chance explains the difference.\n\n" +
		"![Time for an event, beside the best of the others](docs/benchmarks/glance.svg)\n")
	return b.String()
}

// glancePlot draws the table.
func glancePlot(rows []glanced) (drawing, error) {
	d := newDrawing("Time for an event, beside the best of the others that promise the same",
		"time for an event in µs: median, and its 95% interval", vg.Length(len(rows))*vg.Centimeter+3*vg.Centimeter)
	names := make([]string, len(rows))
	var own, others bands
	for i, row := range rows {
		y := len(rows) - 1 - i
		names[y] = row.what
		own.add(float64(y)+0.1, row.own.band(unitTime, 1e3))
		others.add(float64(y)-0.1, row.others.band(unitTime, 1e3))
	}
	err := errors.Join(d.addBands(own, 0, "this library"), d.addBands(others, 1, "best of the others"))
	d.compare(names)
	return d, err
}
