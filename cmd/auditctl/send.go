package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// send writes one event as a component and says what was confirmed, and by which chain.
func send(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	path := flags.String("config", "", "the configuration")
	component := flags.String("component", "", "the component to write as")
	namespace := flags.String("namespace", "default", "namespace of the event")
	decision := flags.String("decision", string(v1alpha1.AuditDecisionGranted), "decision of the event")
	timeout := flags.Duration("timeout", 10*time.Second, "how long the write may take")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if *path == "" || *component == "" || flags.NArg() > 0 {
		return fmt.Errorf("%w: send needs --config and --component", errUsage)
	}
	file, err := config.Load(*path, builtin.Types())
	if err != nil {
		return err
	}
	// Write of a component that fails open returns nil even when nothing was recorded.
	var unrecorded error
	trail, err := config.Open(ctx, *path, builtin.Types(), config.Deps{
		Static: true, Only: *component, Logger: slog.New(slog.NewTextHandler(errOut, nil)),
		OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { unrecorded = err },
	})
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w\nauditctl: a running component keeps what is in use to itself: send through the component, or stop it first", err)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), *timeout)
		defer cancel()
		err = errors.Join(err, trail.Close(closing))
	}()
	sink, err := trail.Lookup(*component)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: *namespace, Kind: "audit-test", Decision: v1alpha1.AuditDecision(*decision),
		Reason: "auditctl send: a test of the audit trail, no decision was made",
	})
	start := time.Now()
	if err := errors.Join(sink.Write(ctx, ae), unrecorded); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "event %s/%s of component %s\n%s by %s in %s\n%s\n", ae.Namespace, ae.Name, *component,
		file.Level(*component), auditing.Chain(sink), time.Since(start).Round(time.Millisecond), meaning(file.Level(*component)))
	return err
}

// meaning says in words what a level confirms.
func meaning(l auditing.Level) string {
	switch l {
	case auditing.LevelAcknowledged:
		return "the destination has confirmed that it stored the event"
	case auditing.LevelDurable:
		return "the event is on the local disk; it may still be on its way to its destination"
	case auditing.LevelAccepted:
		return "the event was handed over, and nobody confirmed that it is stored: look for it there"
	case auditing.LevelNone:
	}
	return "nothing is known about the event"
}
