package driver_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

const ns = "team-a"

var (
	noon       = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)
	errRefused = errors.New("connection refused")
)

// denial returns a valid event without a name, as a builder leaves it.
func denial() *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-1", Namespace: ns, Host: "api.example.com", Port: 443,
		MatchedPolicy: "demo-policy", Reason: "no policy allows api.example.com:443", When: noon,
	})
}

// completeInput has something in every field.
func completeInput() auditing.EventInput {
	return auditing.EventInput{
		Kind: "quota-exceeded", Decision: v1alpha1.AuditDecisionDenied, RunName: "hr-1", Namespace: ns, Reason: "too many",
		MatchedPolicy: "demo-policy", Host: "api.example.com", Port: 443,
		CredentialName: "TOKEN", Provider: "Vault", Purpose: "push",
		Count: 3, WindowStart: noon.Add(-time.Minute), WindowEnd: noon,
		SampleDestinations: []v1alpha1.AuditDestination{{Host: "a.example.com", Port: 443}, {Host: "b.example.com", Port: 80}},
		Detail:             map[string]string{"quota": "10", "used": "11"}, When: noon,
		OwnerRef: metav1.NewControllerRef(&metav1.ObjectMeta{Name: "hr-1", UID: "abc"}, v1alpha1.GroupVersion.WithKind("HarnessRun")),
	}
}

// complete returns an event with something in every field.
func complete() *v1alpha1.AuditEvent {
	ae := auditing.NewEvent(completeInput())
	f := facts()
	ae.Spec.Actor, ae.Spec.Object, ae.Spec.Request, ae.Spec.Trace = f.Actor, f.Object, f.Request, f.Trace
	return ae
}

// facts has something in every fact of a request.
func facts() auditing.Facts {
	return auditing.Facts{
		Actor: &v1alpha1.AuditActor{
			User: "system:serviceaccount:team-a:deployer", Groups: []string{"system:serviceaccounts", "system:authenticated"},
			ServiceAccount: "team-a/deployer", SourceAddress: "192.0.2.7", UserAgent: "kubectl/v1.37",
		},
		Object: &v1alpha1.AuditObject{
			Group: "apps", Resource: "deployments", Namespace: "team-b", Name: "web", UID: "9f1c", Subresource: "scale",
		},
		Request: &v1alpha1.AuditRequest{ID: "705ab4f5", Verb: "UPDATE"},
		Trace:   &v1alpha1.AuditTrace{TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331"},
	}
}

// prepared returns the event that a driver gets of ae.
func prepared(t testing.TB, ae *v1alpha1.AuditEvent) *driver.Event {
	t.Helper()
	e, err := driver.Prepare(ae, "")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// batch returns n events of different names.
func batch(t testing.TB, n int) []*driver.Event {
	t.Helper()
	events := make([]*driver.Event, n)
	for i := range events {
		events[i] = prepared(t, denial())
	}
	return events
}

// stub is a driver made of functions. Without any it stores everything.
type stub struct {
	info  driver.Info
	store func(ctx context.Context, events []*driver.Event) []error
	check func(ctx context.Context) error
	close func(ctx context.Context) error
}

func (s stub) Info() driver.Info {
	if s.info.Name == "" {
		s.info.Name = "stub"
	}
	return s.info
}

func (s stub) Store(ctx context.Context, events []*driver.Event) []error {
	if s.store == nil {
		return nil
	}
	return s.store(ctx, events)
}

func (s stub) Check(ctx context.Context) error {
	if s.check == nil {
		return nil
	}
	return s.check(ctx)
}

func (s stub) Close(ctx context.Context) error {
	if s.close == nil {
		return nil
	}
	return s.close(ctx)
}

// failing returns the store of a destination that refuses every event with err.
func failing(err error) func(context.Context, []*driver.Event) []error {
	return func(_ context.Context, events []*driver.Event) []error { return driver.All(len(events), err) }
}

// one returns a store that hands single events to f.
func one(f func(ctx context.Context, e *driver.Event) error) func(context.Context, []*driver.Event) []error {
	return func(ctx context.Context, events []*driver.Event) []error { return driver.Each(ctx, events, f) }
}

// sink is a Sink as package driver tells its authors to write one.
type sink struct{ driver.Sink }

func newSink(d driver.Driver) *sink { return &sink{driver.New(d)} }

// log keeps what it is given to store.
type log struct {
	mu     sync.Mutex
	events []*driver.Event
}

func (l *log) store(_ context.Context, events []*driver.Event) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	return nil
}

// writeError returns the *WriteError of err, which must wrap ErrAuditWrite.
func writeError(t testing.TB, err error) *auditing.WriteError {
	t.Helper()
	var failed *auditing.WriteError
	if !errors.Is(err, auditing.ErrAuditWrite) || !errors.As(err, &failed) {
		t.Fatalf("error %v does not wrap ErrAuditWrite in a *WriteError", err)
	}
	return failed
}

func indented(t testing.TB, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// text returns n letters.
func text(n int) string { return strings.Repeat("x", n) }
