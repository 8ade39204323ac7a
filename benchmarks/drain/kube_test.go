package drain_test

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

// creates is how many objects of a batch sinks/kube creates at once.
const creates = 16

// openKube has a namespace of its own in the server that all share.
func openKube(b *testing.B) target {
	k := testenv.SharedKube(b)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	c, err := client.New(k.Config, client.Options{Scheme: scheme})
	if err != nil {
		b.Fatal(err)
	}
	namespace := k.Namespace(b)
	return target{
		sink: kube.Sink{Client: c}, namespace: namespace, inFlight: creates,
		requests: func(_ *testing.B, events []*driver.Event) (all []request) {
			for _, e := range events {
				object := e.Object()
				all = append(all, func(ctx context.Context) error { return c.Create(ctx, object) })
			}
			return all
		},
		stored: func(ctx context.Context) (int, error) {
			var list v1alpha1.AuditEventList
			err := c.List(ctx, &list, client.InNamespace(namespace), client.Limit(1))
			if list.RemainingItemCount != nil {
				return len(list.Items) + int(*list.RemainingItemCount), err
			}
			return len(list.Items), err
		},
	}
}
