package config_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// A program opens its trail at its start, and gives each component its sink.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.yaml")
	file := fmt.Appendf(nil, `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  file: {type: log, path: %q, fsync: true}
components:
  broker: {sink: file, onFailure: closed, timeout: 3s, detach: true}
`, filepath.Join(dir, "audit.log"))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	trail, err := config.Open(ctx, path, builtin.Types(), config.Deps{FailClosed: []string{"broker"}})
	if err != nil {
		fmt.Println(err) // everything that is wrong with the file, with its lines
		return
	}
	sink := trail.For("broker")
	fmt.Println(auditing.LevelOf(sink))
	fmt.Println(sink.Write(ctx, auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: "hr-1", Namespace: "team-a", CredentialName: "DEPLOY_TOKEN",
	})))
	fmt.Println(trail.Close(ctx))
	// Output:
	// durable
	// <nil>
	// <nil>
}

// Parse opens nothing: a test of a program can hold its file to the rules.
func ExampleParse() {
	_, err := config.Parse("audit.yaml", []byte(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  screen: {type: log, path: stderr, fsink: true}
components:
  broker: {sink: screen, onFailure: closed}
`), builtin.Types())
	fmt.Println(err)
	// Output: audit.yaml:4: sinks.screen.fsink: is not a known key: did you mean fsync?
}
