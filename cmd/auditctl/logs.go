package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/reading"
)

func logsCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "logs [-f] " + operandsOfFiles, Short: "Print events line by line, and with -f those that come",
		Long: `logs prints each event as soon as it is read, as a line without a heading. With -f it waits for more
in all sources, and prints them as they come, each once; a signal ends it.`,
		Example: "auditctl logs -f --since 5m audit.log\nkubectl logs -f deploy/broker | auditctl logs -f -",
	}
	f := addEventFlags(env, cmd, allForms())
	how, bounds := f.how, f.bounds
	follow := cmd.Flags().BoolP("follow", "f", false, "wait for more events")
	cmd.Flags().DurationVar(&f.from.overlap, "overlap", 0,
		"how late an event may reach Loki or VictoriaLogs for -f to print it: longer where a spool holds events back (default 1m)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.from.following = *follow
		if o := f.from.overlap; cmd.Flags().Changed("overlap") && (o < time.Second || o > 168*time.Hour) {
			return misuse(cmd, fmt.Errorf("--overlap %s: want 1s to 168h", o))
		}
		q, all, err := f.open(cmd, args)
		if err != nil {
			return err
		}
		how.noHeadings = how.noHeadings || how.isTable()
		if !*follow {
			return printEvents(cmd.Context(), q, all, how, bounds, true)
		}
		switch {
		case bounds.last > 0:
			return misuse(cmd, errors.New("--last excludes -f: --since says from when on events are printed"))
		case how.form.value == output.JSON:
			return misuse(cmd, errors.New("-o json excludes -f, because it is one document: -o ndjson prints one a line"))
		}
		list, err := followers(all)
		if err != nil {
			return misuse(cmd, err)
		}
		env.cutOff.Store(0)
		return followEvents(cmd.Context(), q, list, how, bounds)
	}
	return cmd
}

// followEvents prints the events that q takes as they come, until ctx ends.
func followEvents(ctx context.Context, q *reading.Query, all []reading.Follower, how *printing, bounds *limits) error {
	w, err := how.events(true)
	if err != nil {
		return err
	}
	times := how.format()
	problems := &trouble{env: how.env, live: true}
	printed := 0
	for r, err := range reading.Follow(ctx, q, all...) {
		if err != nil {
			if ctx.Err() == nil {
				problems.add(err)
			}
			continue
		}
		if err := w.Write(output.Event(&reading.Entry{Records: []*reading.Record{r}}, times)); err != nil {
			return problems.end(err)
		}
		if printed++; printed == bounds.first {
			break
		}
	}
	return problems.end(w.Close())
}
