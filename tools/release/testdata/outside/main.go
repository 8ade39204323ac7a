// Command trial is a program outside the library's repository. It writes an event to each destination that it imports,
// and prints what Write returned and what arrived.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
)

// trial is what the program does with one destination. It returns what arrived there.
type trial func(ctx context.Context, ae *v1alpha1.AuditEvent) (arrived string, err error)

// trials are those of this file, and of nested.go where it is built too.
var trials = map[string]trial{"log": toLog, "kube": toKube, "loki": toLoki, "ledger": toLedger, "config": toConfigured}

func main() {
	ctx := context.Background()
	for _, name := range []string{"log", "kube", "loki", "ledger", "config", "lokiclient", "auditgrpc"} {
		try, built := trials[name]
		if !built {
			continue
		}
		ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "gate-opened", Decision: v1alpha1.AuditDecisionGranted})
		ae.Name = "event-of-" + name
		arrived, err := try(ctx, ae)
		if err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		fmt.Println(name+":", found(ae, arrived))
	}
}

// found says whether the name of the event is in what arrived.
func found(ae *v1alpha1.AuditEvent, arrived string) string {
	if strings.Contains(arrived, ae.Name) {
		return "the event arrived"
	}
	return fmt.Sprintf("%s is not in %q", ae.Name, arrived)
}

func toLog(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	var lines strings.Builder
	sink, err := log.NewWriter(&lines, log.Options{Component: "gate"})
	if err != nil {
		return "", err
	}
	err = sink.Write(ctx, ae)
	return lines.String(), err
}

// cluster keeps what is created. It stands in for an API server, which this program does not have.
type cluster struct {
	client.Client
	created client.Object
}

func (c *cluster) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	c.created = obj
	return nil
}

func toKube(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	c := &cluster{}
	if err := (kube.Sink{Client: c, Component: "gate"}).Write(ctx, ae); err != nil {
		return "", err
	}
	return c.created.GetName(), nil
}

// server answers every request as Loki answers a push, and counts them. It stands in for a Loki.
func server() (address string, pushes *atomic.Int32, done func()) {
	pushes = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		pushes.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	return s.URL, pushes, s.Close
}

// pushed returns the name of the event if there was one push.
func pushed(ae *v1alpha1.AuditEvent, pushes *atomic.Int32) string {
	if n := pushes.Load(); n != 1 {
		return fmt.Sprintf("%d pushes", n)
	}
	return ae.Name
}

func toLoki(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	address, pushes, done := server()
	defer done()
	sink, err := loki.New(address, loki.Options{Component: "gate", ProveEvery: -1}) // the stand-in stores nothing
	if err != nil {
		return "", err
	}
	defer sink.Close(ctx)
	err = sink.Write(ctx, ae)
	return pushed(ae, pushes), err
}

func toLedger(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	ledger := &Ledger{}
	err := NewSink(ledger).Write(ctx, ae)
	return ledger.Lines(), err
}

// toConfigured writes through a file that names a sink of the library and the program's own.
func toConfigured(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	dir, err := os.MkdirTemp("", "trial")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	file, lines := filepath.Join(dir, "audit.yaml"), filepath.Join(dir, "audit.log")
	text := fmt.Sprintf(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  file: {type: log, path: %q}
  own: {type: ledger}
  both: {type: multi, next: [file, own]}
components:
  gate: {sink: both, onFailure: open}
`, lines)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	ledger, types := &Ledger{}, builtin.Types()
	if err := types.Add(ledger.Type()); err != nil {
		return "", err
	}
	trail, err := config.Open(ctx, file, types, config.Deps{Static: true})
	if err != nil {
		return "", err
	}
	defer trail.Close(ctx)
	if err := trail.For("gate").Write(ctx, ae); err != nil {
		return "", err
	}
	if !strings.Contains(ledger.Lines(), ae.Name) {
		return "", fmt.Errorf("the ledger has %q", ledger.Lines())
	}
	logged, err := os.ReadFile(lines)
	return string(logged), err
}
