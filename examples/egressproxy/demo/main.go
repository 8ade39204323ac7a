// Command demo sends real requests through the egress proxy, and shows what it recorded in a log file. It links no
// other destination: egressproxy -demo -sink kube or loki shows those.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/paddock-dev/audit/examples/egressproxy/scenario"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dest, err := scenario.LogFile()
	if err == nil {
		err = scenario.Run(ctx, os.Stdout, dest)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // nothing is left for the deferred stop to undo
	}
}
