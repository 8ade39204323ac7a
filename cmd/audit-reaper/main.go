// Command audit-reaper deletes AuditEvents whose retention is over, as package
// retention does.
//
//	audit-reaper -config retention.yaml -leader-elect                  pass after pass, until SIGTERM
//	audit-reaper -config retention.yaml -dry-run                       print what would go
//	audit-reaper -config retention.yaml -once                          one pass, as from a job
//	audit-reaper ... -audit-config audit.yaml -archive lake            store each event in a sink first
//	audit-reaper ... -audit-config audit.yaml -tombstones sealed       say first which sealed events go
//
// The API server is that of its pod, or the one that -kubeconfig or KUBECONFIG
// names. It needs the verbs list and delete on auditevents in every namespace; get,
// create and update on leases in its own; and there with -leader-elect create on events
// of the core group. The second of two reapers with different policies in one namespace
// ends with an error that says what differs.
//
// SIGTERM ends it within a second: requests under way have 0.3 s to be answered. A delete
// that is cut off counts as unknown in the log, which names its event.
//
// Both files are read once, at the start. The audit configuration should be a file of
// its own: every sink that a component of it uses is opened. An archive of type kube without
// kubeconfig is refused, for it would store into the API server that is reaped. Tombstones
// may go there, which takes the right to create auditevents in the namespace.
//
// It exits with 0 when all is well, with 1 when it is not or when a stop had to leave
// something behind that did not end, and with 2 when it does not understand its
// arguments. -once and -dry-run do not wait until they lead, and -dry-run does not look for
// reapers with other policies.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/internal/stopping"
	"github.com/paddock-dev/audit/internal/texts"
)

func main() { os.Exit(process(nil)) }

// process is main with another clock, where now is not nil. It returns the exit code.
func process(now func() time.Time) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := program{out: texts.Terminal{To: os.Stdout}, errOut: texts.Terminal{To: os.Stderr}, now: now}
	code, ended := stopping.Promptly(ctx, func() int { return p.run(ctx, os.Args[1:]) })
	if !ended {
		return 1
	}
	return code
}

// program is the command with its surroundings handed in.
type program struct {
	out, errOut io.Writer
	now         func() time.Time // of the events; the API server's when nil
}

// run returns the exit code.
func (p program) run(ctx context.Context, args []string) int {
	o, err := parse(args, p.errOut)
	if err == nil {
		err = p.do(ctx, o)
	}
	switch {
	case err == nil, errors.Is(err, errHelp):
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintf(p.errOut, "audit-reaper: %v\naudit-reaper -help lists the flags\n", err)
		return 2
	}
	_, _ = fmt.Fprintln(p.errOut, "audit-reaper:", err) // a failure to print can be told to nobody
	return 1
}
