package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/reading"
)

var eventVersion = v1alpha1.GroupVersion.String()

func getCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "get " + operandsOfFiles, Short: "Print events as a table, or as -o says",
		Long: `get prints the events of all sources in the order of their time, each once.

A narrow terminal shortens texts, and leaves out COMPONENT, RUN and NAMESPACE if it must. -o wide shortens nothing.`,
		Example: "auditctl get --since 1h --decision denied audit.log\n" +
			"auditctl get -n team-a --where 'event.spec.destination.port == 22' -o wide audit.log",
	}
	return eventsCommand(env, cmd, allForms())
}

func exportCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export " + operandsOfFiles, Short: "Print whole events for other programs",
		Long:    "export prints the events of all sources in the order of their time, each once. The form ndjson can be read again as a file.",
		Example: "auditctl export --since 24h audit.log > day.ndjson",
	}
	return eventsCommand(env, cmd, []string{output.NDJSON, output.JSON, output.CSV, output.YAML})
}

// eventsCommand makes a command that prints events in forms, of which the first is the default.
func eventsCommand(env *environment, cmd *cobra.Command, forms []string) *cobra.Command {
	f := addEventFlags(env, cmd, forms)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, all, err := f.open(cmd, args)
		if err != nil {
			return err
		}
		return printEvents(cmd.Context(), q, all, f.how, f.bounds, false)
	}
	return cmd
}

// eventFlags are the flags of the commands that print events.
type eventFlags struct {
	from   *sources
	which  *asked
	how    *printing
	bounds *limits
}

func addEventFlags(env *environment, cmd *cobra.Command, forms []string) *eventFlags {
	return &eventFlags{addSources(env, cmd), addQuery(cmd), addPrinting(env, cmd, forms...), addLimits(cmd)}
}

// open returns the query and the sources that the flags and arguments ask for.
func (f *eventFlags) open(cmd *cobra.Command, args []string) (*reading.Query, []reading.Source, error) {
	q, err := f.bounds.query(cmd, f.which, f.how)
	if err != nil {
		return nil, nil, err
	}
	all, err := f.from.open(args)
	return q, all, err
}

// limits are the flags that bound the number of events.
type limits struct{ first, last int }

func addLimits(cmd *cobra.Command) *limits {
	l := &limits{}
	cmd.Flags().IntVar(&l.first, "limit", 0, "only the first `number` of events")
	cmd.Flags().IntVar(&l.last, "last", 0, "only the last `number` of events")
	return l
}

// query returns the query of a command after it has looked at the limits.
func (l *limits) query(cmd *cobra.Command, which *asked, how *printing) (*reading.Query, error) {
	for _, name := range []string{"limit", "last"} {
		if f := cmd.Flags().Lookup(name); f.Changed && (l.first < 0 || l.last < 0 || f.Value.String() == "0") {
			return nil, misuse(cmd, fmt.Errorf("--%s %s: want a number above 0", name, f.Value))
		}
	}
	if l.first > 0 && l.last > 0 {
		return nil, misuse(cmd, errors.New("--limit and --last exclude each other"))
	}
	return which.of(cmd, how)
}

// of returns the query, or an error of wrong use.
func (a *asked) of(cmd *cobra.Command, how *printing) (*reading.Query, error) {
	how.env.cutOff.Store(sourceFailed)
	q, err := a.query(how.env.now(), how.zone())
	if err != nil {
		return nil, misuse(cmd, err)
	}
	return q, nil
}

// printEvents prints the events that q takes.
func printEvents(ctx context.Context, q *reading.Query, all []reading.Source, how *printing, bounds *limits, live bool) error {
	w, err := how.events(live)
	if err != nil {
		return err
	}
	times := how.format()
	problems := &trouble{env: how.env}
	last := newTail(bounds.last)
	printed := 0
	for entry, err := range reading.Merge(ctx, q, all...) {
		if err != nil {
			problems.add(err)
			continue
		}
		if bounds.last > 0 {
			last.add(entry)
			continue
		}
		if err := w.Write(output.Event(entry, times)); err != nil {
			return problems.end(err)
		}
		if printed++; printed == bounds.first {
			break
		}
	}
	for entry := range last.all {
		if err := w.Write(output.Event(entry, times)); err != nil {
			return problems.end(err)
		}
		printed++
	}
	err = w.Close()
	if printed == 0 && how.isTable() && !problems.failed {
		_, _ = fmt.Fprintln(how.env.errOut, "no events found")
	}
	return problems.end(err)
}

// tail holds the last entries.
type tail struct {
	ring []*reading.Entry
	next int
	size int
}

func newTail(size int) *tail { return &tail{size: size} }

func (t *tail) add(e *reading.Entry) {
	if len(t.ring) < t.size {
		t.ring = append(t.ring, e)
		return
	}
	t.ring[t.next] = e
	t.next = (t.next + 1) % t.size
}

// all yields the entries in the order in which they were added.
func (t *tail) all(yield func(*reading.Entry) bool) {
	for i := range t.ring {
		if !yield(t.ring[(t.next+i)%len(t.ring)]) {
			return
		}
	}
}
