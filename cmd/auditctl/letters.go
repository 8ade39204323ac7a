package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/sinks/spool"
)

func spoolList(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list DIR", Short: "List the dead letters",
		Long: "list prints the dead letters that can be read. Of the others it prints the error.",
		Args: operands(1, 1, "the directory of a spool"),
	}
	how := addPrinting(env, cmd, allForms()...)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := findSpool(args[0]); err != nil {
			return err
		}
		letters, err := spool.List(args[0])
		return errors.Join(printLetters(how, letters), err)
	}
	return cmd
}

// letter is a dead letter in JSON, with its ID.
type letter struct {
	ID string `json:"id"`
	*spool.DeadLetter
}

func letterColumns() []output.Column {
	return []output.Column{
		{Name: "ID"},
		{Name: "REFUSED", Drop: 3},
		{Name: "KIND", Min: 8, Drop: 1},
		{Name: "DECISION", Min: 8, Drop: 2},
		{Name: "EVENT", Min: 12},
		{Name: "REASON", Min: 12},
		{Name: "SINK", Wide: true},
	}
}

func printLetters(how *printing, letters []spool.DeadLetter) error {
	w, err := output.New(how.form.value, how.env.out, letterColumns(), how.options())
	if err != nil {
		return err
	}
	times := how.format()
	for i := range letters {
		l := &letters[i]
		value, err := json.Marshal(letter{l.ID, l})
		if err != nil {
			return err
		}
		err = w.Write(output.Row{JSON: value, Cells: []string{
			l.ID, times.Format(l.RefusedAt), string(l.Event.Spec.Kind), string(l.Event.Spec.Decision),
			l.Event.Namespace + "/" + l.Event.Name, l.Reason, l.Sink,
		}})
		if err != nil {
			return err
		}
	}
	if len(letters) == 0 && how.isTable() {
		_, _ = fmt.Fprintln(how.env.errOut, "no dead letters")
	}
	return w.Close()
}
