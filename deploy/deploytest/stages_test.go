package deploytest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestASummaryOfAFloodIsAdmitted(t *testing.T) {
	namespace := kube.Namespace(t)
	sink, err := flood.New(emitter(t, namespace, "proxy"), flood.Options{Component: "proxy", Window: 100 * time.Millisecond})
	must(t, err)
	events := make([]*v1alpha1.AuditEvent, 50)
	for i := range events {
		events[i] = newEvent(namespace, "proxy")
	}
	must(t, errors.Join(writeAtOnce(t, sink, events)...))
	must(t, sink.Close(t.Context()))
	var list v1alpha1.AuditEventList
	must(t, admin.List(t.Context(), &list, client.InNamespace(namespace)))
	total, summaries := int32(0), 0
	for _, ae := range list.Items {
		total += max(ae.Spec.Count, 1)
		if ae.Spec.Count > 1 {
			summaries++
		}
	}
	if total != 50 || summaries == 0 {
		t.Errorf("%d events in %d summaries of %d objects, want 50 with a summary", total, summaries, len(list.Items))
	}
}

func TestAFanOutAndARetryAreAdmitted(t *testing.T) {
	namespace := kube.Namespace(t)
	again, err := retry.New(emitter(t, namespace, "proxy"), retry.Options{})
	must(t, err)
	sink, err := multi.New([]multi.Child{{Name: "cluster", Sink: again}, {Name: "copy", Sink: &sinktest.Recorder{}}}, multi.Options{})
	must(t, err)
	must(t, sink.Write(t.Context(), newEvent(namespace, "")))
	checkStored(t, namespace, 1)
}

// balanced is a client as behind a load balancer, which sends nothing to an API server that is not ready. A server
// that has just started may not know its roles yet, and kube.Sink would take what it forbids for a refusal for good.
//
// It loses the answer to its first create, as a server does that is killed while it answers.
type balanced struct {
	next  http.RoundTripper
	ready *atomic.Bool
	lost  *atomic.Bool
}

func (b balanced) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.ready.Load() {
		return nil, syscall.ECONNREFUSED
	}
	answer, err := b.next.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && b.lost.CompareAndSwap(false, true) {
		return nil, errors.Join(syscall.ECONNRESET, answer.Body.Close())
	}
	return answer, err
}

func TestSpoolDrainsWithTheEmitterRoleAfterAnOutage(t *testing.T) {
	const before, while, after = 20, 60, 20
	namespace := kube.Namespace(t)
	next := emitter(t, namespace, "broker")
	var ready, lost atomic.Bool
	config := kube.ConfigFor(accountName(namespace, "broker"), "system:serviceaccounts", "system:authenticated")
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return balanced{rt, &ready, &lost} })
	ready.Store(true)
	var err error
	next.Client, err = clientFor(config)
	must(t, err)
	refused := make(chan error, 1) // the first
	sink, err := spool.New(t.TempDir(), next, spool.Options{
		Component: "broker", Parallel: 8, MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
		OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
			if letter := new(spool.DeadLetterError); errors.As(err, &letter) {
				select {
				case refused <- err:
				default:
				}
			}
		},
	})
	must(t, err)
	write := func(n int) {
		for range n {
			// The event names its component before it gets its name: only a name of the component is trusted.
			must(t, sink.Write(t.Context(), newEvent(namespace, "broker")))
		}
	}
	write(before)
	ready.Store(false)
	must(t, kube.KillAPIServer())
	write(while)
	must(t, kube.RestartAPIServer(t.Context()))
	ready.Store(true)
	write(after)

	eventually(t, func() error {
		select {
		case err := <-refused:
			t.Fatalf("an event became a dead letter: %v", err)
		default:
		}
		var list v1alpha1.AuditEventList
		if err := admin.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		if len(list.Items) < before+while+after {
			return fmt.Errorf("%d of %d are there", len(list.Items), before+while+after)
		}
		return nil
	})
	checkStored(t, namespace, before+while+after)
	closing, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, sink.Close(closing))
	if !lost.Load() {
		t.Error("no answer was lost")
	}
}
