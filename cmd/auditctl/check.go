package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func checkCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check FILE...", Short: "Print the chains of configurations, or everything that is wrong with them",
		Long: `check reads configurations and prints which component writes where, or everything that is wrong. It reads the
files of keys as well, and opens no sink.`,
		Example: "auditctl check audit.yaml\nauditctl check -o json deploy/*.yaml",
		Args:    operands(1, -1, "the files to check"),
	}
	format := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	without := cmd.Flags().Bool("no-key-files", false, "do not read the files of keys, which are on another machine")
	cmd.RunE = func(_ *cobra.Command, paths []string) error {
		if format.value == "json" {
			return checkJSON(env, paths, !*without)
		}
		var all []error
		for _, path := range paths {
			all = append(all, check(env, path, len(paths) > 1, !*without))
		}
		return errors.Join(all...)
	}
	return cmd
}

// check prints the chains and the warnings of a file, below its name if there are others.
func check(env *environment, path string, others, keys bool) error {
	f, err := loadConfig(env, path)
	if err == nil && keys {
		err = f.CheckFiles()
	}
	if err != nil {
		return err
	}
	if others {
		_, _ = fmt.Fprintf(env.out, "%s:\n", path)
	}
	_, err = fmt.Fprintln(env.out, f)
	return err
}

// checked is what is known of a file after it was checked.
type checked struct {
	File       string             `json:"file"`
	Good       bool               `json:"good"`
	Components []checkedComponent `json:"components,omitempty"`
	Errors     []problem          `json:"errors,omitempty"`
	Warnings   []problem          `json:"warnings,omitempty"`
}

type checkedComponent struct {
	Name  string `json:"name"`
	Level string `json:"level"`
}

type problem struct {
	Line int    `json:"line,omitempty"`
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

// checkJSON prints what is known of each file.
func checkJSON(env *environment, paths []string, keys bool) error {
	all := make([]checked, 0, len(paths))
	bad := false
	for _, path := range paths {
		c := checked{File: path, Good: true}
		f, err := config.Load(path, builtin.Types())
		if err == nil && keys {
			err = f.CheckFiles()
		}
		var wrong *config.FileError
		switch {
		case errors.As(err, &wrong):
			c.Errors = problems(wrong.Problems)
		case err != nil:
			c.Errors = []problem{{Text: err.Error()}}
		default:
			c.Warnings = problems(f.Warnings())
			for _, name := range f.Components() {
				c.Components = append(c.Components, checkedComponent{name, f.Level(name).String()})
			}
		}
		c.Good = err == nil
		bad = bad || err != nil
		all = append(all, c)
	}
	if err := printJSON(env, all); err != nil {
		return err
	}
	if bad {
		return &exitError{code: wrong}
	}
	return nil
}

func problems(found []config.Problem) []problem {
	all := make([]problem, len(found))
	for i, p := range found {
		all[i] = problem{p.Line, p.Path, p.Text}
	}
	return all
}
