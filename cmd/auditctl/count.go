package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/reading"
)

// fields are what events can be counted by.
var fields = map[string]func(*v1alpha1.AuditEvent) string{
	"component":   func(ae *v1alpha1.AuditEvent) string { return ae.Labels[v1alpha1.LabelComponent] },
	"decision":    func(ae *v1alpha1.AuditEvent) string { return string(ae.Spec.Decision) },
	"kind":        func(ae *v1alpha1.AuditEvent) string { return string(ae.Spec.Kind) },
	"namespace":   func(ae *v1alpha1.AuditEvent) string { return ae.Namespace },
	"run":         output.Run,
	"actor":       output.Actor,
	"target":      output.Target,
	"destination": output.Destination,
	"policy":      output.Policy,
}

// maxGroups bounds the groups that are held in memory.
const maxGroups = 1_000_000

func countCommand(env *environment) *cobra.Command {
	names := slices.Sorted(maps.Keys(fields))
	cmd := &cobra.Command{
		Use: "count " + operandsOfFiles, Short: "Count events by what they say",
		Long: `count prints how many events there are for each value of the fields in --by, and how many decisions they
stand for: a summary is one event of many decisions. With --every it does so for each interval that
has events. A terminal gets a bar for the decisions.

Fields: ` + strings.Join(names, ", ") + ".",
		Example: "auditctl count --by kind,decision audit.log\nauditctl count --by component --every 5m --since 1h audit.log",
	}
	from := addSources(env, cmd)
	which := addQuery(cmd)
	how := addPrinting(env, cmd, output.Table, output.JSON, output.NDJSON, output.CSV, output.YAML)
	by := cmd.Flags().StringSlice("by", []string{"kind", "decision"}, "`fields` to count by")
	every := cmd.Flags().String("every", "", "count for each interval of this `duration`, as in 5m or 1d")
	complete(cmd, "by", names)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := &counts{by: *by, groups: map[string]*counted{}}
		for _, name := range c.by {
			if err := oneOf(name, names); err != nil {
				return misuse(cmd, fmt.Errorf("--by: %w", err))
			}
		}
		if *every != "" {
			var err error
			if c.every, err = parseDuration(*every); err != nil {
				return misuse(cmd, fmt.Errorf("--every: %w", err))
			}
		}
		q, err := which.of(cmd, how)
		if err != nil {
			return err
		}
		all, err := from.open(args)
		if err != nil {
			return err
		}
		return printCounts(cmd.Context(), q, all, how, c)
	}
	return cmd
}

// counts are events by groups.
type counts struct {
	by     []string
	every  time.Duration
	groups map[string]*counted
}

// counted is a group of events.
type counted struct {
	from              time.Time // of the interval; zero without one
	values            []string
	events, decisions int64
}

// add counts an event.
func (c *counts) add(e *reading.Entry) error {
	ae := e.Event()
	values := make([]string, len(c.by))
	for i, name := range c.by {
		values[i] = fields[name](ae)
	}
	var from time.Time
	if c.every > 0 {
		from = e.Records[0].Time.Truncate(c.every)
	}
	key := strings.Join(append(values, from.String()), "\x00")
	g := c.groups[key]
	if g == nil {
		if len(c.groups) == maxGroups {
			return errors.New("auditctl: more than a million groups: count by fewer fields")
		}
		g = &counted{from: from, values: values}
		c.groups[key] = g
	}
	g.events++
	g.decisions += output.Count(ae)
	return nil
}

// sorted returns the groups by time, those with the most decisions first.
func (c *counts) sorted() []*counted {
	return slices.SortedFunc(maps.Values(c.groups), func(a, b *counted) int {
		if d := a.from.Compare(b.from); d != 0 {
			return d
		}
		if d := b.decisions - a.decisions; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return slices.Compare(a.values, b.values)
	})
}

func printCounts(ctx context.Context, q *reading.Query, all []reading.Source, how *printing, c *counts) error {
	problems := &trouble{env: how.env}
	for entry, err := range reading.Merge(ctx, q, all...) {
		if err != nil {
			problems.add(err)
			continue
		}
		if err := c.add(entry); err != nil {
			return problems.end(err)
		}
	}
	groups := c.sorted()
	bars := newBars(how, groups)
	w, err := output.New(how.form.value, how.env.out, c.columns(bars != nil), how.options())
	if err != nil {
		return err
	}
	times := how.format()
	for _, g := range groups {
		row, err := c.row(g, times)
		if bars != nil {
			row.Cells = append(row.Cells, bars.of(g.decisions))
		}
		if err := errors.Join(err, w.Write(row)); err != nil {
			return problems.end(err)
		}
	}
	err = w.Close()
	if len(groups) == 0 && how.isTable() && !problems.failed {
		_, _ = fmt.Fprintln(how.env.errOut, "no events found")
	}
	return problems.end(err)
}

func (c *counts) columns(bars bool) (columns []output.Column) {
	if c.every > 0 {
		columns = append(columns, output.Column{Name: "TIME"})
	}
	for _, name := range c.by {
		columns = append(columns, output.Column{Name: strings.ToUpper(name), Min: 12})
	}
	columns = append(columns, output.Column{Name: "EVENTS", Right: true}, output.Column{Name: "DECISIONS", Right: true})
	if bars {
		columns = append(columns, output.Column{Drop: 1})
	}
	return columns
}

func (c *counts) row(g *counted, times output.Times) (output.Row, error) {
	var r output.Row
	var value strings.Builder
	value.WriteByte('{')
	field := func(name string, of any) error {
		if value.Len() > 1 {
			value.WriteByte(',')
		}
		text, err := json.Marshal(of)
		fmt.Fprintf(&value, "%q:%s", name, text)
		return err
	}
	var errs []error
	if c.every > 0 {
		r.Cells = append(r.Cells, times.Format(g.from))
		errs = append(errs, field("time", g.from.UTC()))
	}
	for i, name := range c.by {
		r.Cells = append(r.Cells, g.values[i])
		errs = append(errs, field(name, g.values[i]))
	}
	r.Cells = append(r.Cells, strconv.FormatInt(g.events, 10), strconv.FormatInt(g.decisions, 10))
	errs = append(errs, field("events", g.events), field("decisions", g.decisions))
	value.WriteByte('}')
	r.JSON = []byte(value.String())
	return r, errors.Join(errs...)
}
