// Package otlp_test compares clients of OTLP's logs over HTTP, each with the same receiver, which runs in a process of its
// own and answers 200 at once.
package otlp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/sinks/otlp"
)

const (
	service = "audit"
	gzipped = "gzip"
	plain   = "none"
)

func BenchmarkOTLP(b *testing.B) {
	to := startReceiver(b)
	for _, writers := range []int{1, 64, 1024} {
		for _, event := range bench.Events() {
			bench.Compare(b, fmt.Sprintf("writers=%d/event=%s/", writers, event.Name), writers, peers(to, event))
		}
	}
}

func peers(to *receiver, event bench.Event) []bench.Peer {
	peer := func(name string, open func(b *testing.B, to *receiver, event bench.Event) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, _ int) bench.Writer {
			w, err := open(b, to, event)
			if err != nil {
				b.Fatal(err)
			}
			w.Stored = to.taken
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", ours(gzipped)),
		peer("ours-plain", ours(plain)),
		peer("sdk-gzip", sdk(otlploghttp.GzipCompression)),
		peer("sdk", sdk(otlploghttp.NoCompression)),
	}
}

// ours has every event answered before Write returns.
func ours(compression string) func(*testing.B, *receiver, bench.Event) (bench.Writer, error) {
	return func(b *testing.B, to *receiver, event bench.Event) (bench.Writer, error) {
		sink, err := otlp.New(to.url, otlp.Options{Component: bench.Component, ServiceName: service, Compression: compression})
		ctx := b.Context()
		return bench.Writer{
			Write:  func(int) error { return sink.Write(ctx, event.New()) },
			Finish: func() error { return sink.Close(ctx) },
		}, err
	}
}

// sdk is OpenTelemetry's batch processor and OTLP exporter with their defaults: a queue of 2,048 records, beyond which
// the oldest is dropped. The record has the event's JSON as its body, and the attributes of ours that say something apart from
// its identity.
func sdk(compression otlploghttp.Compression) func(*testing.B, *receiver, bench.Event) (bench.Writer, error) {
	return func(b *testing.B, to *receiver, event bench.Event) (bench.Writer, error) {
		ctx := b.Context()
		exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(to.url+"/v1/logs"), otlploghttp.WithCompression(compression))
		if err != nil {
			return bench.Writer{}, err
		}
		provider := sdklog.NewLoggerProvider(
			sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)),
			sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
		logger := provider.Logger("audit")
		return bench.Writer{
			Write: func(int) error {
				ae := event.New()
				line, err := json.Marshal(ae)
				if err != nil {
					return err
				}
				var record log.Record
				record.SetTimestamp(bench.Time(ae))
				record.SetSeverity(log.SeverityInfo)
				record.SetBody(attribute.StringValue(string(line)))
				record.AddAttributes(attribute.String("component", bench.Component), attribute.String("namespace", ae.Namespace),
					attribute.String("kind", string(ae.Spec.Kind)), attribute.String("decision", string(ae.Spec.Decision)),
					attribute.String("run", ae.Spec.RunRef.Name))
				logger.Emit(ctx, record)
				return nil
			},
			Finish: func() error { return provider.Shutdown(ctx) },
		}, nil
	}
}
