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
)

// broker hands out tokens, and none that is not on record.
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

// A fail-closed handler is tested with a trail that works and one that fails.
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

// ledger is a sink that somebody else wrote.
type ledger struct {
	lines sync.Map // of *v1alpha1.AuditEvent, by name
	full  error
}

func (l *ledger) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "ledger"}, ae, func(_ context.Context, ae *v1alpha1.AuditEvent) error {
		if l.full == nil {
			l.lines.LoadOrStore(ae.Name, ae.DeepCopy())
		}
		return l.full
	})
}
func (l *ledger) Level() auditing.Level { return auditing.LevelAccepted }
func (l *ledger) String() string        { return "ledger" }

func (l *ledger) read(context.Context) (events []v1alpha1.AuditEvent, err error) {
	l.lines.Range(func(_, ae any) bool { events = append(events, *ae.(*v1alpha1.AuditEvent)); return true })
	return events, nil
}

// A sink of one's own is plugged into the suite like this. In a test,
// sinktest.Run(t, harness) takes the place of Check.
func ExampleCheck() {
	errFull := errors.New("no page left")
	harness := sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			l := &ledger{}
			return sinktest.Subject{Sink: l, Stored: l.read}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			caused := func(err error) bool { return errors.Is(err, errFull) }
			return sinktest.Fault{Sink: &ledger{full: errFull}, Caused: caused}, nil
		},
		CannotHang: "it waits for nothing but memory",
	}
	fmt.Println(sinktest.Check(context.Background(), harness))
	// Output: <nil>
}
