package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// sending is what send was asked for.
type sending struct {
	path, component, namespace string
	decision                   *choice
	timeout                    time.Duration
	format                     *choice
}

func sendCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "send --config FILE --component NAME", Short: "Write one test event and say what was confirmed",
		Example: "auditctl send --config audit.yaml --component broker",
		Args:    operands(0, 0, "none"),
	}
	s := &sending{}
	cmd.Flags().StringVar(&s.path, "config", "", "configuration `file`")
	cmd.Flags().StringVar(&s.component, "component", "", "component to write as")
	cmd.Flags().StringVar(&s.namespace, "namespace", "default", "namespace of the event")
	cmd.Flags().DurationVar(&s.timeout, "timeout", 10*time.Second, "how long the write may take")
	s.decision = addChoice(cmd, "decision", "", string(v1alpha1.AuditDecisionGranted), "decision of the event", decisions()...)
	s.format = addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case s.path == "" || s.component == "":
			return misuse(cmd, errors.New("send needs --config and --component"))
		case s.timeout <= 0:
			return misuse(cmd, fmt.Errorf("--timeout %s: want a duration above 0, as in 10s", s.timeout))
		}
		return send(cmd.Context(), env, s)
	}
	return cmd
}

// decisions returns those that an event can have.
func decisions() []string {
	return []string{string(v1alpha1.AuditDecisionGranted), string(v1alpha1.AuditDecisionDenied), string(v1alpha1.AuditDecisionWarned)}
}

// send writes one event as a component and says what was confirmed, and by which chain.
func send(ctx context.Context, env *environment, s *sending) (err error) {
	file, err := config.Load(s.path, builtin.Types())
	if err != nil {
		return err
	}
	// Write of a component that fails open returns nil even when nothing was recorded.
	var unrecorded error
	trail, err := config.Open(ctx, s.path, builtin.Types(), config.Deps{
		Static: true, Only: s.component, Logger: slog.New(slog.NewTextHandler(env.errOut, nil)),
		OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { unrecorded = err },
	})
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w\nauditctl: a running component keeps what is in use to itself: send through the component, or stop it first", err)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		err = errors.Join(err, trail.Close(closing))
	}()
	sink, err := trail.Lookup(s.component)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: s.namespace, Kind: "audit-test", Decision: v1alpha1.AuditDecision(s.decision.value),
		Reason: "auditctl send: a test of the audit trail, no decision was made",
	})
	start := time.Now()
	if err := errors.Join(sink.Write(ctx, ae), unrecorded); err != nil {
		return err
	}
	return printSent(env, &sent{
		Namespace: ae.Namespace, Name: ae.Name, Component: s.component, Level: file.Level(s.component).String(), Chain: auditing.Chain(sink),
		Took: time.Since(start).Round(time.Millisecond).String(), Meaning: meaning(file.Level(s.component)),
	}, s.format.value)
}

// sent is an event that was written.
type sent struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Component string `json:"component"`
	Level     string `json:"level"`
	Chain     string `json:"chain"`
	Took      string `json:"took"`
	Meaning   string `json:"meaning"`
}

func printSent(env *environment, s *sent, format string) error {
	if format == "json" {
		return printJSON(env, s)
	}
	_, err := fmt.Fprintf(env.out, "event %s/%s of component %s\n%s by %s in %s\n%s\n",
		s.Namespace, s.Name, s.Component, s.Level, s.Chain, s.Took, s.Meaning)
	return err
}

// meaning says in words what a level promises. Durable is also the level of a log, which hands on nothing.
func meaning(l auditing.Level) string {
	switch l {
	case auditing.LevelAcknowledged:
		return "the destination has confirmed that it stored the event"
	case auditing.LevelDurable:
		return "the event is on the local disk, fsynced"
	case auditing.LevelAccepted:
		return "the event was handed over, and nobody confirmed that it is stored: look for it there"
	case auditing.LevelNone:
	}
	return "nothing is known about the event"
}
