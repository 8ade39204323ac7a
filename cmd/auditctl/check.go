package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// check prints the chains and the warnings of a file. It opens nothing.
func check(path string, out, errOut io.Writer) error {
	f, err := config.Load(path, builtin.Types())
	if err != nil {
		return err
	}
	for _, w := range f.Warnings() {
		_, _ = fmt.Fprintln(errOut, "warning:", w)
	}
	_, err = fmt.Fprintln(out, f)
	return err
}

// listSinks prints every type with its keys.
func listSinks(out io.Writer) error {
	for _, typ := range builtin.Types().All() {
		if _, err := fmt.Fprintf(out, "%s: %s\n", typ.Name, typ.Doc); err != nil {
			return err
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, k := range typ.Keys() {
			_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", k.Name, k.Kind, standing(k), k.Doc)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func standing(k config.Key) string {
	switch {
	case k.Required:
		return "required"
	case k.Default != "":
		return "default " + k.Default
	}
	return ""
}
