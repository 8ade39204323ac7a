package log_test

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/log"
)

func Example() {
	sink := log.Stdout(log.Options{Component: "broker"})
	defer sink.Close(context.Background())

	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName:        "run-7",
		Namespace:      "team-a",
		CredentialName: "github",
		When:           time.Date(2026, 3, 1, 10, 0, 0, 250_000_000, time.UTC),
	})
	ae.Name = "credential-1" // left out, an event gets a name that sorts by time
	if err := sink.Write(context.Background(), ae); err != nil {
		fmt.Println("no record, no credential:", err)
	}
	// Output:
	// {"level":"info","ts":"2026-03-01T10:00:00.25Z","logger":"audit","msg":"credential-issued","apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent","metadata":{"name":"credential-1","generateName":"ae-cred-","namespace":"team-a","labels":{"paddock.dev/component":"broker","paddock.dev/decision":"granted","paddock.dev/kind":"credential-issued","paddock.dev/run":"run-7"},"annotations":{"paddock.dev/timestamp":"2026-03-01T10:00:00.25Z"}},"spec":{"runRef":{"name":"run-7"},"decision":"granted","kind":"credential-issued","timestamp":"2026-03-01T10:00:00Z","credential":{"name":"github"}}}
}

// A program that logs with zap hands over its logger's core. Its level and its
// sampling must let every event through.
func ExampleNew() {
	logger := zap.NewExample()
	sink, err := log.New(logger.Core(), log.Options{Component: "proxy"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auditing.Chain(sink), auditing.LevelOf(sink))
	// Output: log(core) accepted
}

// A file whose events are on the disk before Write returns. Backups are kept for
// 90 days.
func ExampleNewFile() {
	sink, err := log.NewFile("audit.log", log.FileOptions{Fsync: true, MaxSizeMB: 64, MaxAgeDays: 90})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auditing.LevelOf(sink)) // durable
	_ = sink.Close(context.Background())
	// No output is checked, so that the test makes no file.
}
