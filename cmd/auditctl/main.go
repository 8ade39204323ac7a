// Command auditctl reads audit trails, and looks at audit configurations and spools.
//
// auditctl --help lists its commands, and docs/auditctl.md shows them.
//
// It exits with 0 when all is well, and with 2 when it does not understand its arguments.
// The commands that read events exit with 1 when they found a difference, and with 3 when
// a source could not be read to its end; the others with 1 when something is wrong.
// The command verify has other exit codes: 0 for an intact trail, 1 for one that was tampered
// with, 2 when that cannot be told, and 3 for arguments that it does not understand. A signal
// ends every command within a second.
//
// Under the name kubectl-audit_trail it is a plugin of kubectl: kubectl audit-trail. Under
// the name kubectl_complete-audit_trail it completes that plugin's arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/internal/stopping"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := process()
	// Nothing that is cut off loses what is stored: not even a requeue.
	code, ended := stopping.Promptly(ctx, func() int { return run(ctx, env, os.Args[1:]) })
	if !ended {
		code = int(env.cutOff.Load())
	}
	os.Exit(code) //nolint:gocritic // nothing is left for the deferred stop to undo
}

// Exit codes.
const (
	wrong        = 1 // something is wrong, or there is a difference
	misused      = 2
	sourceFailed = 3
)

// exitError is an error with an exit code of its own. err may be nil: then everything is
// said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// run is main with its arguments and its process as parameters. It returns the exit code.
func run(ctx context.Context, env *environment, args []string) int {
	if env.name == pluginCompleteFile {
		env.name, args = pluginFile, append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	root := newRoot(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := wrong
	var misuse *usageError
	var exit *exitError
	switch {
	case errors.As(err, &misuse):
		code = misused
		if misuse.cmd.Name() == verifyName {
			code = verifyMisused
		}
		misuse.print(env.errOut)
	case errors.As(err, &exit):
		code = exit.code
		if exit.err != nil {
			printError(env, exit.err)
		}
	default:
		printError(env, err)
	}
	return code
}

// printError prints an error, which may quote what a workload wrote.
func printError(env *environment, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		_, _ = fmt.Fprintln(env.errOut, output.Harmless(line)) // who cannot print has nobody to tell
	}
}
