package redact_test

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/redact"
)

// The suite compares what is stored with what was written, so these rules change
// nothing of its events. Each of them gets as far as it can without that.
func TestConformance(t *testing.T) {
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			sinktest.Run(t, d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				return redact.New(next, redact.Options{Keys: keys(), Rules: []redact.Rule{
					{Kinds: []string{"no-such-*"}, Fields: []string{"*"}, Action: redact.Drop},
					{Fields: []string{"*"}, Pattern: "no text has this", Action: redact.HMAC},
				}})
			}))
		})
	}
}

var (
	_ auditing.Sink   = (*redact.Sink)(nil)
	_ auditing.Closer = (*redact.Sink)(nil)
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}
