// Package kube_test compares ways to create an AuditEvent in a real API server.
package kube_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // otherwise controller-runtime complains amid the results
	os.Exit(testenv.Run(m))
}

// cell is one measurement.
type cell struct {
	writers int
	event   bench.Event
	peer    bench.Peer
}

// BenchmarkKube measures in an order by chance: etcd grows with every object, and is slower for it.
func BenchmarkKube(b *testing.B) {
	k := testenv.SharedKube(b)
	var cells []cell
	for _, writers := range []int{1, 8, 64} {
		for _, event := range bench.Events() {
			for _, peer := range peers(k, event) {
				cells = append(cells, cell{writers, event, peer})
			}
		}
	}
	if err := bench.Shuffle(cells); err != nil {
		b.Fatal(err)
	}
	for _, c := range cells {
		b.Run(fmt.Sprintf("writers=%d/event=%s/peer=%s", c.writers, c.event.Name, c.peer.Name), func(b *testing.B) {
			bench.Measure(b, c.writers, c.peer.Open(b, c.writers))
		})
	}
}

// newClient is that of a component: no limit of its own on requests.
func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

func peers(k *testenv.Kube, event bench.Event) []bench.Peer {
	type writer = func(context.Context, *v1alpha1.AuditEvent) error
	peer := func(name string, open func(b *testing.B, c client.Client, namespace string) bench.Writer) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, _ int) bench.Writer {
			c, err := newClient(k.Config)
			if err != nil {
				b.Fatal(err)
			}
			namespace := k.Namespace(b)
			// The first request asks for the server's API.
			if _, err := stored(b.Context(), c, namespace); err != nil {
				b.Fatal(err)
			}
			w := open(b, c, namespace)
			w.Stored = func() (int, error) { return stored(context.Background(), c, namespace) }
			return w
		}}
	}
	through := func(build func() *v1alpha1.AuditEvent, write func(c client.Client) writer) func(*testing.B, client.Client, string) bench.Writer {
		return func(b *testing.B, c client.Client, namespace string) bench.Writer {
			ctx, one := b.Context(), write(c)
			return bench.Writer{Write: func(int) error {
				ae := build()
				ae.Namespace = namespace
				return one(ctx, ae)
			}}
		}
	}
	create := func(c client.Client) writer {
		return func(ctx context.Context, ae *v1alpha1.AuditEvent) error { return c.Create(ctx, ae) }
	}
	return []bench.Peer{
		peer("ours", through(event.New, func(c client.Client) writer { return kube.Sink{Client: c, Component: bench.Component}.Write })),
		// The object that the sink creates: name, labels and exact time in place.
		peer("create-named", through(func() *v1alpha1.AuditEvent { return named(event) }, create)),
		// The event as the builder leaves it: the server names it, and a retry would store it twice.
		peer("create", through(event.New, create)),
		peer("post", func(b *testing.B, _ client.Client, namespace string) bench.Writer {
			return openPOST(b, k, namespace, event)
		}),
	}
}

// named cannot fail for an event of package bench.
func named(event bench.Event) *v1alpha1.AuditEvent {
	ae, err := bench.Named(event)
	if err != nil {
		panic(err)
	}
	return ae
}

// stored counts the objects of a namespace without fetching them all: a list of one says how many remain.
func stored(ctx context.Context, c client.Client, namespace string) (int, error) {
	var list v1alpha1.AuditEventList
	err := c.List(ctx, &list, client.InNamespace(namespace), client.Limit(1))
	if list.RemainingItemCount != nil {
		return len(list.Items) + int(*list.RemainingItemCount), err
	}
	return len(list.Items), err
}
