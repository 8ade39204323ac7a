// The program loki writes its trail to a Loki.
package main

import (
	"context"
	"os"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

func main() {
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "run-1", Namespace: "team-a"})
	sink, err := loki.New(os.Getenv("LOKI_URL"), loki.Options{Component: "size"})
	if err == nil {
		err = sink.Write(context.Background(), ae)
	}
	if err != nil {
		os.Exit(1)
	}
}
