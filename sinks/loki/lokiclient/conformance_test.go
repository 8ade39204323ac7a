package lokiclient_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func TestConformance(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	ns := namespace()
	opts := quick
	opts.MaxRetries = 1000
	sinktest.Run(t, sinktest.Harness{
		Namespace: ns,
		New: func(context.Context) (sinktest.Subject, error) {
			f, err := newFront(l)
			if err != nil {
				return sinktest.Subject{}, err
			}
			open := func(context.Context) (auditing.Sink, error) { return lokiclient.New(f.URL, opts) }
			sink, err := open(t.Context())
			return sinktest.Subject{
				Sink: sink,
				Stored: func(ctx context.Context) ([]v1alpha1.AuditEvent, error) {
					entries, err := stored(ctx, l, ns)
					if err != nil {
						return nil, err
					}
					return parse(entries)
				},
				Records: func(ctx context.Context, name string) (n int, err error) {
					entries, err := stored(ctx, l, ns)
					for _, e := range entries {
						if e.Metadata["event"] == name {
							n++
						}
					}
					return n, err
				},
				Again:   open,
				Release: f.close,
			}, err
		},
		CannotFail: "loki-client-go's Handle always returns nil: what Loki refuses is counted, and Close tells how much",
		Hanging: func(ctx context.Context) (sinktest.Fault, error) {
			b, err := newBusy(ctx, l, opts)
			if err != nil {
				return sinktest.Fault{}, err
			}
			return sinktest.Fault{Sink: b.sink, Release: func() {
				b.release()
				_ = closeWithin(b.sink, patience) // before its Loki is gone
				b.front.close()
			}}, nil
		},
	})
}
