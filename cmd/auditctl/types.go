package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func typesCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sinks", Short: "List the types of sinks with their keys and defaults",
		Args: operands(0, 0, "none"),
	}
	format := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(*cobra.Command, []string) error {
		if format.value == "json" {
			return printJSON(env, sinkTypes())
		}
		return listSinks(env.out)
	}
	return cmd
}

func schemaCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the configuration",
		Args: operands(0, 0, "none"),
		RunE: func(*cobra.Command, []string) error {
			text, err := builtin.Types().JSONSchema()
			if err != nil {
				return err
			}
			_, err = env.out.Write(text)
			return err
		},
	}
}

// sinkType is a type of sink in JSON.
type sinkType struct {
	Name string    `json:"name"`
	Doc  string    `json:"doc"`
	Keys []sinkKey `json:"keys"`
}

type sinkKey struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Required bool   `json:"required,omitempty"`
	Default  string `json:"default,omitempty"`
	Doc      string `json:"doc"`
}

func sinkTypes() (all []sinkType) {
	for _, typ := range builtin.Types().All() {
		t := sinkType{Name: typ.Name, Doc: typ.Doc, Keys: []sinkKey{}}
		for _, k := range typ.Keys() {
			t.Keys = append(t.Keys, sinkKey{k.Name, k.Kind, k.Required, k.Default, k.Doc})
		}
		all = append(all, t)
	}
	return all
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
