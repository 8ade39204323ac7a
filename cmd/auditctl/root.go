package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
)

// The names under which kubectl runs a plugin, and asks it for completions.
const (
	pluginFile         = "kubectl-audit_trail"
	pluginCompleteFile = "kubectl_complete-audit_trail"
)

// newRoot returns auditctl with all of its commands.
func newRoot(env *environment) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "auditctl",
		Short: "Read audit trails, and look at audit configurations and spools",
		Long: `auditctl reads the events of an audit trail, and looks at audit configurations and spools.

It exits with 0 when all is well, and with 2 when it does not understand its arguments.
The commands that read events exit with 1 when they found a difference, and with 3 when a
source could not be read to its end; the others with 1 when something is wrong. verify has
exit codes of its own.`,
		Version:       readVersion().String(),
		SilenceErrors: true, SilenceUsage: true,
	})
	if env.name == pluginFile {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl audit-trail"}
	}
	root.SetIn(env.in)
	root.SetOut(env.out)
	root.SetErr(env.errOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misuse(cmd, flagError(cmd, err)) })
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.AddGroup(&cobra.Group{ID: "events", Title: "Read events:"}, &cobra.Group{ID: "setup", Title: "Look at configurations and spools:"})
	for _, cmd := range []*cobra.Command{
		getCommand(env), logsCommand(env), countCommand(env), showCommand(env), diffCommand(env), exportCommand(env), verifyCommand(env), proveCommand(env),
	} {
		cmd.GroupID = "events"
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{checkCommand(env), checkCollectorCommand(env), typesCommand(env), schemaCommand(env), sendCommand(env), spoolCommand(env), redactCommand(env), keysCommand(env)} {
		cmd.GroupID = "setup"
		root.AddCommand(cmd)
	}
	root.AddCommand(versionCommand(env), manCommand(env))
	return root
}

// group makes a command that only has others below it. Without one of them it is misused.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return misuse(cmd, errors.New("a command is missing"))
		}
		err := fmt.Errorf("unknown command %q", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(near, " or "))
		}
		return misuse(cmd, err)
	}
	return cmd
}

// usageError is wrong use of a command.
type usageError struct {
	cmd *cobra.Command
	err error
}

func misuse(cmd *cobra.Command, err error) error { return &usageError{cmd, err} }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

func (e *usageError) print(to io.Writer) {
	path := e.cmd.CommandPath()
	use := e.cmd.UseLine()
	if e.cmd.HasAvailableSubCommands() {
		use = path + " COMMAND"
	}
	text := strings.ReplaceAll(output.Harmless(e.err.Error()), `\n`, "\n")
	_, _ = fmt.Fprintf(to, "auditctl: %s\nusage: %s\nMore with %s --help.\n", text, use, path)
}

// flagError adds a suggestion to the error of an unknown flag: the known flag with the
// nearest name.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return err
}

// operands accepts from least to most arguments, which are called what. No bound above
// when most is -1.
func operands(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return misuse(cmd, fmt.Errorf("too few arguments: want %s", what))
		case most >= 0 && len(args) > most:
			return misuse(cmd, fmt.Errorf("too many arguments: want %s", what))
		}
		return nil
	}
}
