package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/sinks/spool"
)

// spoolCommand reads the directory of a spool. A component may have the spool open.
func spoolCommand(env *environment) *cobra.Command {
	cmd := group(&cobra.Command{Use: "spool", Short: "Look into a spool and requeue its dead letters"})
	cmd.AddCommand(spoolStats(env), spoolList(env), spoolShow(env), spoolRequeue(env))
	return cmd
}

// findSpool returns an error when dir is not the directory of a spool.
func findSpool(dir string) error {
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("auditctl: looking at the spool: %w", err)
	case !info.IsDir():
		return fmt.Errorf("auditctl: looking at the spool: %w", &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a directory")})
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("auditctl: looking at the spool: %w", err)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "progress", name == "dead", name == "requeue", name == "damaged", strings.HasSuffix(name, ".seg"):
			return nil
		}
	}
	return fmt.Errorf("auditctl: %s is no spool: it has none of the files of one", dir)
}

func spoolStats(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "stats DIR", Short: "Print how much waits, the age of the oldest event, and what was set aside",
		Args: operands(1, 1, "the directory of a spool"),
	}
	format := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := findSpool(args[0]); err != nil {
			return err
		}
		sum, err := spool.Stats(args[0])
		if err != nil {
			return err
		}
		if format.value == "json" {
			return printJSON(env, summaryOf(&sum))
		}
		return printStats(env, &sum)
	}
	return cmd
}

func printStats(env *environment, sum *spool.Summary) error {
	oldest := "none"
	if !sum.Oldest.IsZero() {
		oldest = fmt.Sprintf("%s (%s ago)", sum.Oldest.UTC().Format(time.RFC3339), env.now().Sub(sum.Oldest).Round(time.Second))
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "waiting\t%d events, %d bytes\n", sum.Depth, sum.Bytes)
	_, _ = fmt.Fprintf(w, "oldest\t%s\n", oldest)
	_, _ = fmt.Fprintf(w, "dead letters\t%d, on their way back %d\n", sum.DeadLetters, sum.Requeued)
	_, _ = fmt.Fprintf(w, "damaged\t%d in what waits, %d set aside\n", sum.Damaged, sum.SetAside)
	return w.Flush()
}

// summary is a spool.Summary in JSON.
type summary struct {
	Waiting     int64      `json:"waiting"`
	Bytes       int64      `json:"bytes"`
	Oldest      *time.Time `json:"oldest,omitempty"`
	DeadLetters int        `json:"deadLetters"`
	Requeued    int        `json:"requeued"`
	Damaged     int        `json:"damaged"`
	SetAside    int        `json:"setAside"`
}

func summaryOf(sum *spool.Summary) summary {
	s := summary{
		Waiting: sum.Depth, Bytes: sum.Bytes, DeadLetters: sum.DeadLetters, Requeued: sum.Requeued, Damaged: sum.Damaged, SetAside: sum.SetAside,
	}
	if !sum.Oldest.IsZero() {
		s.Oldest = &sum.Oldest
	}
	return s
}

func spoolShow(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "show DIR ID", Short: "Print a dead letter with its reason, as JSON",
		Args: operands(2, 2, "the directory of a spool and the ID of a dead letter"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := findSpool(args[0]); err != nil {
				return err
			}
			letter, err := spool.Show(args[0], args[1])
			if err != nil {
				return err
			}
			return printJSON(env, letter)
		},
	}
}

func spoolRequeue(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "requeue DIR ID...", Short: "Put dead letters back into the queue",
		Long: `requeue puts dead letters back into the queue, or with --all all that can be read. An ID may also
be the name of a segment in damaged/, for the events that it holds.`,
		Example: "auditctl spool requeue /var/lib/audit --all",
		Args:    operands(1, -1, "the directory of a spool and IDs of dead letters"),
	}
	all := cmd.Flags().Bool("all", false, "requeue all dead letters that can be read")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, ids := args[0], args[1:]
		if *all == (len(ids) > 0) {
			return misuse(cmd, errors.New("requeue wants either IDs or --all"))
		}
		if err := findSpool(dir); err != nil {
			return err
		}
		return requeue(env, dir, ids)
	}
	return cmd
}

// requeue takes the IDs of dead letters. Without any it takes those that can be read.
func requeue(env *environment, dir string, ids []string) error {
	var unread error
	if len(ids) == 0 {
		var letters []spool.DeadLetter
		letters, unread = spool.List(dir)
		for i := range letters {
			ids = append(ids, letters[i].ID)
		}
	}
	if err := spool.Requeue(dir, ids...); err != nil {
		return errors.Join(unread, err)
	}
	_, err := fmt.Fprintf(env.out, "requeued %d; the component that uses the spool delivers them\n", len(ids))
	return errors.Join(unread, err)
}
