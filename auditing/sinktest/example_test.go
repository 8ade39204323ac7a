package sinktest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
)

// broker hands out a token only when the event about it is recorded.
type broker struct{ audit auditing.Sink }

func (b broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issued := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		Namespace: "team-a", RunName: r.FormValue("run"), CredentialName: "deploy-token",
	})
	if err := b.audit.Write(r.Context(), issued); err != nil {
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprint(w, "token")
}

// A fail-closed handler is tested with a trail that works and with a trail that fails.
func ExampleRecorder() {
	var trail sinktest.Recorder
	handler := broker{audit: &trail}
	ask := func(run string) int {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/?run="+run, http.NoBody))
		return answer.Code
	}

	fmt.Println(ask("run-7"))
	trail.FailWith(errors.New("disk full"))
	fmt.Println(ask("run-8"))

	for _, ae := range trail.Events() {
		fmt.Println(ae.Spec.RunRef.Name, ae.Spec.Kind, ae.Spec.Decision)
	}
	// Output:
	// 200
	// 503
	// run-7 credential-issued granted
}

// ledger is a destination of another project.
type ledger struct {
	driver.Gate
	lines sync.Map // of *driver.Event, by name
	full  error
}

func (l *ledger) Info() driver.Info {
	return driver.Info{Name: "ledger", Level: auditing.LevelAccepted}
}

func (l *ledger) Store(ctx context.Context, events []*driver.Event) []error {
	if err := l.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer l.Leave(len(events))
	return driver.Each(ctx, events, func(_ context.Context, e *driver.Event) error {
		if l.full == nil {
			l.lines.LoadOrStore(e.Name(), e)
		}
		return l.full
	})
}

func (l *ledger) Check(context.Context) error { return l.full }

func (l *ledger) read(context.Context) (events []v1alpha1.AuditEvent, err error) {
	l.lines.Range(func(_, e any) bool { events = append(events, *e.(*driver.Event).Object()); return true })
	return events, nil
}

// The suite tests the sink of another project. In a test, call sinktest.Run(t, harness)
// instead of Check.
func ExampleCheck() {
	errFull := errors.New("no page left")
	harness := sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			l := &ledger{}
			return sinktest.Subject{Sink: driver.New(l), Stored: l.read}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			caused := func(err error) bool { return errors.Is(err, errFull) }
			return sinktest.Fault{Sink: driver.New(&ledger{full: errFull}), Caused: caused}, nil
		},
		CannotHang: "it waits for nothing but memory",
	}
	fmt.Println(sinktest.Check(context.Background(), harness))
	// Output: <nil>
}
