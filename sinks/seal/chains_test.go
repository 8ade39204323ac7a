package seal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/spool"
	"github.com/paddock-dev/audit/verify"
)

// A spool brings everything late and refuses some of it for good, and verification of each
// moment in between raises no alarm either.
func TestALateSpoolIsNoAlarm(t *testing.T) {
	a, cluster, lake := newAuditor(t, time.Time{}), &sinktest.Recorder{}, choosy{&sinktest.Recorder{}, "host-3"}
	lake.FailWith(fmt.Errorf("away"))
	spooled, err := spool.New(t.TempDir(), lake, spool.Options{Place: "lake", MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond})
	must(t, err)
	next, err := multi.New([]multi.Child{{Name: "cluster", Sink: cluster}, {Name: "spool", Sink: spooled}}, multi.Options{})
	must(t, err)
	s := sealed(t, next, a.options())
	both := func(o verify.Options) {
		a.mustBeIntactBy(t, o, stored{"cluster", cluster.Events()}, stored{"lake", lake.Events()})
	}
	late := verify.Options{Before: time.Now().Add(-time.Hour)} // as auditctl verify --late 1h
	for i := range 40 {
		must(t, s.Write(t.Context(), denial(i)))
		if i%10 == 9 {
			must(t, s.Wait(within(t, 10*time.Second)))
			both(late)
		}
	}
	lake.FailWith(nil)
	const refused = 11 // host-3 and host-30 to host-39
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		must(t, s.Wait(within(t, 10*time.Second)))
		both(late)
		declared := lacksOf(only(t, prove(t, cluster.Events())), "lake").Len()
		if declared == refused {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d dead letters are declared", declared)
		}
	}
	must(t, s.Close(within(t, 20*time.Second)))
	both(verify.Options{})
	a.mustBeIntact(t, stored{"cluster", cluster.Events()})
}

// The spool holds everything back for more than an hour. A verification in between holds nothing of
// the last hour against the place, as auditctl verify does where it knows of a spool.
func TestASpoolThatIsLateByAnHourIsNoAlarm(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, cluster, lake := newAuditor(t, time.Time{}), &sinktest.Recorder{}, choosy{&sinktest.Recorder{}, "host-3"}
		spooled, err := spool.New(dir, lake, spool.Options{Place: "lake", MaxBackoff: time.Minute})
		must(t, err)
		next, err := multi.New([]multi.Child{{Name: "cluster", Sink: cluster}, {Name: "spool", Sink: spooled}}, multi.Options{})
		must(t, err)
		s, err := seal.New(next, a.options())
		must(t, err)
		both := func(o verify.Options) {
			a.mustBeIntactBy(t, o, stored{"cluster", cluster.Events()}, stored{"lake", lake.Events()})
		}
		late := func() verify.Options { return verify.Options{Before: time.Now().Add(-time.Hour)} }
		for i := range 40 {
			if i == 10 {
				lake.FailWith(fmt.Errorf("away"))
			}
			if i == 35 {
				lake.FailWith(nil)
			}
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(3 * time.Minute)
			both(late())
		}
		must(t, s.Close(within(t, time.Hour)))
		both(verify.Options{})
	})
}

// The server stores an event, and its answer comes after the writer's deadline. The writer tries again, or does not.
func TestAnswersBehindTheDeadlineAreNoAlarm(t *testing.T) {
	a, server := newAuditor(t, time.Time{}), testenv.SharedKube(t)
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	namespace := server.Namespace(t)
	slow := &slowAnswers{}
	config := rest.CopyConfig(server.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { slow.next = next; return slow })
	c, err := client.New(config, client.Options{Scheme: scheme})
	must(t, err)
	opts := a.options()
	opts.Namespace, opts.Interval = namespace, time.Hour // checkpoints come when a Wait asks for them
	s, err := seal.New(kube.Sink{Client: c}, opts)
	must(t, err)
	must(t, s.Wait(within(t, 10*time.Second)))
	for i := range 6 {
		ae := denial(i)
		ae.Namespace = namespace
		slow.now.Store(true)
		if err := s.Write(within(t, 50*time.Millisecond), ae); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the write ends with %v", err)
		}
		slow.now.Store(false)
		must(t, s.Wait(within(t, 10*time.Second))) // it is told that the outcome is unclear
		if i%2 == 0 {
			must(t, s.Write(t.Context(), ae))
		}
	}
	must(t, s.Close(within(t, 20*time.Second)))
	var list v1alpha1.AuditEventList
	must(t, c.List(t.Context(), &list, client.InNamespace(namespace)))
	if r := a.mustBeIntact(t, stored{"cluster", list.Items}); r.Trails[0].Unclear > 0 || len(list.Items) != 6+r.Trails[0].Checkpoints {
		t.Errorf("%d events: %+v", len(list.Items), r.Trails[0])
	}
}

// slowAnswers keeps answers to POST back until the request's context ends, while now is set.
type slowAnswers struct {
	next http.RoundTripper
	now  atomic.Bool
}

func (s *slowAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.now.Load() || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/auditevents") {
		return s.next.RoundTrip(r)
	}
	answer, err := s.next.RoundTrip(r.Clone(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil, err
	}
	<-r.Context().Done()
	_ = answer.Body.Close()
	return nil, r.Context().Err()
}

func TestADeadChildIsNoAlarm(t *testing.T) {
	a, cluster, lake := newAuditor(t, time.Time{}), &sinktest.Recorder{}, &sinktest.Recorder{}
	next, err := multi.New([]multi.Child{{Name: "cluster", Sink: cluster}, {Name: "lake", Sink: lake}}, multi.Options{Require: multi.Named("cluster")})
	must(t, err)
	s := sealed(t, next, a.options())
	for i := range 30 {
		lake.FailWith(nil)
		if i >= 10 && i < 20 {
			lake.FailWith(fmt.Errorf("dead"))
		}
		must(t, s.Write(t.Context(), denial(i)))
		must(t, s.Wait(within(t, 10*time.Second)))
	}
	must(t, s.Close(within(t, 10*time.Second)))
	again := append(cluster.Events(), cluster.Events()...) // a place that holds repeats
	a.mustBeIntact(t, stored{"cluster", again}, stored{"lake", lake.Events()})
}

func TestSummariesAndRedactionsAreNoAlarm(t *testing.T) {
	a, all := newAuditor(t, time.Now().Add(-time.Minute)), &sinktest.Recorder{}
	s := sealed(t, all, a.options())
	calm, err := flood.New(s, flood.Options{Window: 20 * time.Millisecond})
	must(t, err)
	sink, err := redact.New(calm, redact.Options{Rules: []redact.Rule{
		{Fields: []string{"spec.reason"}, Action: redact.Mask}, {Fields: []string{"metadata.annotations.*"}, Action: redact.Drop},
	}})
	must(t, err)
	events := make([]*v1alpha1.AuditEvent, 60)
	errs := make(chan error, len(events))
	for i := range events {
		events[i] = denial(i)
		go func() { errs <- sink.Write(context.WithoutCancel(t.Context()), events[i]) }()
	}
	for range events {
		must(t, <-errs)
	}
	must(t, sink.Write(t.Context(), events[0])) // the caller's event has its texts, and its seal if it went alone
	must(t, sink.Close(within(t, 10*time.Second)))
	r := a.mustBeIntact(t, stored{"all", all.Events()})
	if r.Unsealed > 0 || r.Events >= int64(len(events)) {
		t.Errorf("%d events, of which %d are not sealed", r.Events, r.Unsealed)
	}
}

// A controller names an event itself, and makes it anew in each of its lives.
func TestFreshObjectsOfOneEventAreNoAlarm(t *testing.T) {
	a, server := newAuditor(t, time.Time{}), testenv.SharedKube(t)
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	must(t, err)
	namespace := server.Namespace(t)
	at := time.Now()
	fresh := func(i int) *v1alpha1.AuditEvent {
		ae := auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: namespace, When: at})
		ae.Name = fmt.Sprintf("run-%d", i)
		return ae
	}
	for range 2 { // lives
		opts := a.options()
		opts.Namespace = namespace
		s, err := seal.New(kube.Sink{Client: c}, opts)
		must(t, err)
		for range 2 { // reconciliations
			for i := range 3 {
				must(t, s.Write(t.Context(), fresh(i)))
			}
		}
		must(t, s.Close(within(t, 20*time.Second)))
	}
	var list v1alpha1.AuditEventList
	must(t, c.List(t.Context(), &list, client.InNamespace(namespace)))
	r := a.mustBeIntact(t, stored{"cluster", list.Items})
	if events := len(list.Items) - r.Trails[0].Checkpoints - r.Trails[1].Checkpoints; events != 3 || len(r.Trails) != 2 {
		t.Errorf("%d events in %d trails", events, len(r.Trails))
	}
}
