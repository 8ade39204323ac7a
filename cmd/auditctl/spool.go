package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paddock-dev/audit/internal/texts"
	"github.com/paddock-dev/audit/sinks/spool"
)

// inspectSpool reads the directory of a spool. A component may have the spool open.
func inspectSpool(args []string, out io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("%w: spool wants a verb and a directory", errUsage)
	}
	verb, dir, ids := args[0], args[1], args[2:]
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("auditctl: looking at the spool: %w", err)
	case !info.IsDir():
		return fmt.Errorf("auditctl: looking at the spool: %w", &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a directory")})
	}
	switch {
	case verb == "stats" && len(ids) == 0:
		return printStats(dir, out)
	case verb == "list" && len(ids) == 0:
		return listLetters(dir, out)
	case verb == "show" && len(ids) == 1:
		return showLetter(dir, ids[0], out)
	case verb == "requeue" && len(ids) > 0:
		return requeue(dir, ids, out)
	}
	return fmt.Errorf("%w: spool %s", errUsage, verb)
}

func printStats(dir string, out io.Writer) error {
	sum, err := spool.Stats(dir)
	if err != nil {
		return err
	}
	oldest := "none"
	if !sum.Oldest.IsZero() {
		oldest = fmt.Sprintf("%s (%s ago)", sum.Oldest.UTC().Format(time.RFC3339), time.Since(sum.Oldest).Round(time.Second))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "waiting\t%d events, %d bytes\n", sum.Depth, sum.Bytes)
	_, _ = fmt.Fprintf(w, "oldest\t%s\n", oldest)
	_, _ = fmt.Fprintf(w, "dead letters\t%d, on their way back %d\n", sum.DeadLetters, sum.Requeued)
	_, _ = fmt.Fprintf(w, "damaged\t%d in what waits, %d set aside\n", sum.Damaged, sum.SetAside)
	return w.Flush()
}

// listLetters prints the dead letters that can be read. Of the others it prints the error.
func listLetters(dir string, out io.Writer) error {
	letters, err := spool.List(dir)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tREFUSED\tKIND\tDECISION\tEVENT\tREASON")
	for i := range letters {
		l := &letters[i]
		row := []string{
			l.ID, l.RefusedAt.UTC().Format(time.RFC3339), string(l.Event.Spec.Kind), string(l.Event.Spec.Decision),
			l.Event.Namespace + "/" + l.Event.Name, strconv.Quote(l.Reason),
		}
		for i, cell := range row {
			row[i] = texts.Visible(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return errors.Join(w.Flush(), err)
}

func showLetter(dir, id string, out io.Writer) error {
	letter, err := spool.Show(dir, id)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(letter, "", "  ")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Fprintln(out, texts.Visible(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// requeue takes the IDs of dead letters, or --all for those that can be read.
func requeue(dir string, ids []string, out io.Writer) error {
	var unread error
	if len(ids) == 1 && ids[0] == "--all" {
		var letters []spool.DeadLetter
		letters, unread = spool.List(dir)
		ids = nil
		for i := range letters {
			ids = append(ids, letters[i].ID)
		}
	}
	if err := spool.Requeue(dir, ids...); err != nil {
		return errors.Join(unread, err)
	}
	_, err := fmt.Fprintf(out, "requeued %d; the component that uses the spool delivers them\n", len(ids))
	return errors.Join(unread, err)
}
