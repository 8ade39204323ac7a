package builtin

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// hanging is a driver whose Store returns only after held is closed.
type hanging struct {
	driver.Base

	begun, held chan struct{}
}

func (hanging) Info() driver.Info { return driver.Info{Name: "kube"} }

func (h hanging) Store(context.Context, []*driver.Event) []error {
	close(h.begun)
	<-h.held
	return nil
}

func TestKubeSinkClosesAfterWritesUnderWay(t *testing.T) {
	next := hanging{begun: make(chan struct{}), held: make(chan struct{})}
	sink := driver.New(&ownKube{Driver: next, http: &http.Client{}})
	write := func() error {
		return sink.Write(context.Background(), auditing.NewEvent(auditing.EventInput{
			Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted,
		}))
	}
	wrote := make(chan error, 1)
	go func() { wrote <- write() }()
	<-next.begun
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sink.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Close while a write is under way: %v", err)
	}
	var failed *auditing.WriteError
	if err := write(); !errors.As(err, &failed) || failed.Class != auditing.ClassClosed || failed.Sink != "kube" {
		t.Errorf("a write after Close: %v, want class closed", err)
	}
	close(next.held)
	if err := <-wrote; err != nil {
		t.Errorf("the write under way: %v", err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Errorf("Close again: %v", err)
	}
}
