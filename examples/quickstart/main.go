// Command quickstart is the shortest program that leaves an audit trail.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/log"
)

func main() {
	sink := log.Stdout(log.Options{Component: "broker"})

	err := sink.Write(context.Background(), auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: "hr-1", Namespace: "team-a", CredentialName: "DEMO_TOKEN", Provider: "vault", Reason: "policy demo allows it",
	}))
	if errors.Is(err, auditing.ErrAuditWrite) {
		fmt.Fprintln(os.Stderr, "no record, so no credential:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "recorded: here is your credential")
}
