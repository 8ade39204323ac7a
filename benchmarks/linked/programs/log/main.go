// The program log writes its trail to stdout.
package main

import (
	"context"
	"os"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/log"
)

func main() {
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "run-1", Namespace: "team-a"})
	if err := log.Stdout(log.Options{Component: "size"}).Write(context.Background(), ae); err != nil {
		os.Exit(1)
	}
}
