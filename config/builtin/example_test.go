package builtin_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/driver"
)

// mail is a type of sink with one key.
type mail struct {
	To string `yaml:"to" required:"true" doc:"who is to read it"`
}

func (m *mail) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "mail", Level: auditing.LevelAccepted}
}

func (m *mail) Open(context.Context, config.Opening) (auditing.Sink, error) {
	return driver.New(&mailer{to: m.To, out: os.Stdout}), nil
}

type mailer struct {
	driver.Base

	to  string
	out io.Writer
}

func (m *mailer) Info() driver.Info {
	return driver.Info{Name: "mail", Level: auditing.LevelAccepted}
}

func (m *mailer) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(_ context.Context, e *driver.Event) error {
		_, err := fmt.Fprintf(m.out, "to %s: %s %s by %s\n", m.to, e.Kind(), e.Decision(), e.Component())
		return err
	})
}

// A program adds a type of its own to those of this module.
func Example_customType() {
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "mail", Doc: "a mail for each event", New: func() config.Section { return &mail{} }}); err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.yaml")
	const file = `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks: {warden: {type: mail, to: warden@example.com}}
components: {gate: {sink: warden, onFailure: open}}
`
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	trail, err := config.Open(context.Background(), path, types, config.Deps{Static: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer trail.Close(context.Background())
	fmt.Println(trail)
	ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "gate-opened", Decision: v1alpha1.AuditDecisionGranted})
	fmt.Println(trail.For("gate").Write(context.Background(), ae))
	// Output:
	// gate: mail: accepted, fails open
	// to warden@example.com: gate-opened granted by gate
	// <nil>
}
