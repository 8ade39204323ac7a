package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/reading"
)

func showCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME " + operandsOfPlaces, Short: "Print one event in full, and every place that has it",
		Long: `show prints the event of a name, and what each place has of it, with the words of diff. Where a place holds
other content, it prints that as well. It exits with 1 when no place has the event, when one lacks
it, and when one holds other content. A place is a file, or beside --config a sink of it; a file then has a
slash, as in ./audit.log. A spool is named only when it holds the event.`,
		Example: "auditctl show ae-egress-01k0000000 audit.log lake.ndjson\n" +
			"auditctl show ae-egress-01k0000000 --config audit.yaml",
		Args: operands(1, -1, "the name of an event"),
	}
	from := addSources(env, cmd)
	cmd.ValidArgsFunction = from.completeSinks
	namespaces := cmd.Flags().StringSliceP("namespace", "n", nil, "only events of these `namespaces`")
	how := addPrinting(env, cmd, output.Table, output.JSON, output.NDJSON, output.CSV, output.YAML)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		env.cutOff.Store(sourceFailed)
		all, err := from.each(args[1:])
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return misuse(cmd, errNoSource)
		}
		return printShown(cmd.Context(), &reading.Query{Names: args[:1], Namespaces: *namespaces}, all, from.passing, how)
	}
	return cmd
}

func printShown(ctx context.Context, q *reading.Query, all []reading.Source, passing map[string]bool, how *printing) error {
	problems := &trouble{env: how.env}
	events, err := shownEvents(ctx, q, hold(ctx, q, all, passing, problems))
	if err != nil {
		return problems.end(err)
	}
	columns := []output.Column{{Name: "PLACE", Min: 8}, {Name: "AT", Min: 8}, {Name: "CONTENT", Colour: findingColour}}
	w, err := output.New(how.form.value, how.env.out, columns, how.options())
	if err != nil {
		return err
	}
	alike := true
	for _, e := range events {
		err = errors.Join(err, e.print(w, how.form.value))
		alike = alike && e.alike()
	}
	if err = errors.Join(err, w.Close()); err == nil && how.isTable() {
		err = printContents(how.env.out, events)
	}
	if err := problems.end(err); err != nil {
		return err
	}
	switch {
	case len(events) == 0:
		return &exitError{wrong, fmt.Errorf("auditctl: no place has an event %s", q.Names[0])}
	case !alike:
		return &exitError{code: wrong}
	}
	return nil
}

// printContents prints the events in full, and what places hold that differs.
func printContents(to io.Writer, events []*shown) error {
	var errs []error
	for _, e := range events {
		_, err := fmt.Fprintln(to)
		errs = append(errs, err, printYAML(to, e.Event))
		for _, other := range e.Others {
			_, err := fmt.Fprintf(to, "\n# as %s holds it, at %s:\n", output.Harmless(other.Place), output.Harmless(other.At))
			errs = append(errs, err, printYAML(to, other.Event))
		}
	}
	return errors.Join(errs...)
}

func printYAML(to io.Writer, value []byte) error {
	w, err := output.New(output.YAML, to, nil, output.Options{})
	if err != nil {
		return err
	}
	return errors.Join(w.Write(output.Row{JSON: value}), w.Close())
}
