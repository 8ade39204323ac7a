// Command auditctl looks at audit configurations and spools.
//
//	auditctl check FILE                             print its chains, or everything that is wrong with it
//	auditctl sinks                                  list the types of sinks with their keys and defaults
//	auditctl send --config FILE --component NAME    write one test event and say what was confirmed
//	auditctl schema                                 print the JSON Schema of the file
//	auditctl redact hash --config FILE ...          print the hash of a value, to search events by
//	auditctl spool stats|list|show|requeue DIR ...  look into a spool and requeue its dead letters
//
// It exits with 0 when all is well, with 1 when it is not, and with 2 when it
// does not understand its arguments. A signal ends it within a second.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/stopping"
)

const usage = `usage:
  auditctl check FILE
  auditctl sinks
  auditctl send --config FILE --component NAME [--namespace NAME] [--decision granted|denied|warned] [--timeout 10s]
  auditctl schema
  auditctl redact hash --config FILE --redaction NAME [--at TIME] [VALUE]
                                    the hash of a value under each key, or under the key of that time; the value comes
                                    from the standard input when it is - or missing: arguments show in process lists
  auditctl spool stats DIR          depth, bytes and the oldest event
  auditctl spool list DIR           the dead letters
  auditctl spool show DIR ID        one of them, with its reason
  auditctl spool requeue DIR ID...  put them back into the queue; --all for all of them; the name of a
                                    segment in damaged/ for the events that it holds
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Nothing that is cut off loses what is stored: not even a requeue.
	code, ended := stopping.Promptly(ctx, func() int { return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) })
	if !ended {
		code = 1
	}
	os.Exit(code) //nolint:gocritic // nothing is left for the deferred stop to undo
}

// errUsage marks errors after which the usage text is printed.
var errUsage = errors.New("wrong arguments")

// run is main with its arguments and streams as parameters. It returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "check":
		err = check(args[1], out, errOut)
	case len(args) == 1 && args[0] == "sinks":
		err = listSinks(out)
	case len(args) == 1 && args[0] == "schema":
		var text []byte
		if text, err = builtin.Types().JSONSchema(); err == nil {
			_, err = out.Write(text)
		}
	case len(args) > 0 && args[0] == "spool":
		err = inspectSpool(args[1:], out)
	case len(args) > 1 && args[0] == "redact" && args[1] == "hash":
		err = redactHash(args[2:], in, out)
	case len(args) > 0 && args[0] == "send":
		err = send(ctx, args[1:], out, errOut)
	default:
		err = errUsage
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintf(errOut, "auditctl: %v\n%s", err, usage)
		return 2
	}
	_, _ = fmt.Fprintln(errOut, err) // who cannot print has nobody to tell
	return 1
}
