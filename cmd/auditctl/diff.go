package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

func diffCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "diff [" + operandsOfPlaces + "]", Short: "Say which place lacks an event or holds another one",
		Long: `diff compares what places hold of the same events. It prints a line for each event and place where

    missing    the place lacks the event
    differs    the place holds other content under the event's name
    shortened  a sink shortened long texts of the event, visibly
    pending    the place lacks the event, which is younger than --pending

It exits with 1 when an event is missing or differs. A place is a file, or beside --config a sink of it; a file
then has a slash, as in ./audit.log. A spool lacks nothing: it holds only what is on its way.`,
		Example: "auditctl diff --since 24h --pending 10m audit.log lake.ndjson\n" +
			"auditctl diff --since 24h --config audit.yaml cluster lake",
		Args: cobra.ArbitraryArgs,
	}
	from := addSources(env, cmd)
	cmd.ValidArgsFunction = from.completeSinks
	which := addQuery(cmd)
	how := addPrinting(env, cmd, allForms()...)
	pending := cmd.Flags().Duration("pending", 0, "events that are younger may still be under way")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *pending < 0 {
			return misuse(cmd, fmt.Errorf("--pending %s: want a duration of 0 or more", *pending))
		}
		q, err := which.of(cmd, how)
		if err != nil {
			return err
		}
		all, err := from.each(args)
		if err != nil {
			return err
		}
		if len(all) < 2 {
			return misuse(cmd, errors.New("want two places or more: files, servers that flags name, or sinks of --config"))
		}
		return printDiff(cmd.Context(), q, all, how, &tolerance{*pending, from.passing})
	}
	return cmd
}

// tolerance says what a place may lack.
type tolerance struct {
	pending time.Duration   // the age of events that may be under way
	passing map[string]bool // places that hold events only for a time
}

// comparing is how many bytes of memory a comparison is to take. What it holds is bounded below that. Without a
// limit garbage takes as much again, and more on a busy machine.
const comparing = 40 << 20

func printDiff(ctx context.Context, q *reading.Query, all []reading.Source, how *printing, may *tolerance) error {
	w, err := output.New(how.form.value, how.env.out, diffColumns(), how.options())
	if err != nil {
		return err
	}
	if how.env.getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(comparing))
	}
	times := how.format()
	problems := &trouble{env: how.env}
	found, differences := 0, 0
	for d, err := range reading.Diff(ctx, q, reading.Tolerance{Pending: may.pending, Now: how.env.now()}, all...) {
		if err != nil {
			problems.add(err)
			continue
		}
		lacks := d.Finding == reading.Missing || d.Finding == reading.Pending
		if lacks && may.passing[d.Source] {
			continue
		}
		found++
		if d.Finding == reading.Missing || d.Finding == reading.Differs {
			differences++
		}
		row, err := diffRow(d, times)
		if err == nil {
			err = w.Write(row)
		}
		if err != nil {
			return problems.end(err)
		}
	}
	err = w.Close()
	if found == 0 && how.isTable() && !problems.failed {
		_, _ = fmt.Fprintln(how.env.errOut, "no differences")
	}
	if err := problems.end(err); err != nil {
		return err
	}
	if differences > 0 {
		return &exitError{code: wrong}
	}
	return nil
}

func diffColumns() []output.Column {
	columns := []output.Column{{Name: "FINDING", Colour: findingColour}, {Name: "PLACE", Min: 8}, {Name: "HELD-BY", Min: 8}}
	for _, c := range output.EventColumns() {
		switch c.Name {
		case "NAME":
			c.Wide, c.Min = false, 20
		case "DECISION":
			c.Drop = 2
		case "TARGET", "REASON", "RUN", "COMPONENT":
			c.Wide = true
		case "PLACES":
			continue
		}
		columns = append(columns, c)
	}
	return columns
}

func findingColour(finding string) string {
	switch reading.Finding(finding) {
	case reading.Missing, reading.Differs:
		return "31" // red
	case reading.Pending, reading.Shortened:
		return "33" // yellow
	}
	return ""
}

// difference is a reading.Difference in JSON.
type difference struct {
	Finding reading.Finding `json:"finding"`
	Place   string          `json:"place"`
	HeldBy  []string        `json:"heldBy"`
	Event   json.RawMessage `json:"event"`
}

func diffRow(d *reading.Difference, times output.Times) (output.Row, error) {
	event := output.Event(d.Entry, times)
	cells := append([]string{string(d.Finding), d.Source, strings.Join(d.Entry.Places(), ",")}, event.Cells[:len(event.Cells)-1]...)
	value, err := json.Marshal(difference{d.Finding, d.Source, d.Entry.Places(), eventjson.Append(nil, d.Entry.Event())})
	return output.Row{Cells: cells, JSON: value}, err
}
