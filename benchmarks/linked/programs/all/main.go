// The program all takes its destination from a file, and so links every one.
package main

import (
	"context"
	"os"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func main() {
	ctx := context.Background()
	trail, err := config.Open(ctx, "audit.yaml", builtin.Types(), config.Deps{})
	if err == nil {
		ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "run-1", Namespace: "team-a"})
		err = trail.For("size").Write(ctx, ae)
	}
	if err != nil {
		os.Exit(1)
	}
}
