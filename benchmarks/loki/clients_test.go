package loki_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	client "github.com/grafana/loki-client-go/loki"
	"github.com/prometheus/common/model"
	slogloki "github.com/samber/slog-loki/v3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

const pushPath = "/loki/api/v1/push"

func newClient(to target) (*client.Client, error) {
	config, err := client.NewDefaultConfig(to.push() + pushPath)
	if err != nil {
		return nil, err
	}
	return client.New(config)
}

// openClientGo is loki-client-go with the event's JSON as its line and the labels that sinks/loki sets. Nothing is
// validated, named or labelled before, and no metadata stored.
func openClientGo(_ *testing.B, _ int, to target) (bench.Writer, error) {
	c, err := newClient(to)
	if err != nil {
		return bench.Writer{}, err
	}
	labels := model.LabelSet{
		"service_name": model.LabelValue(to.service), "component": bench.Component, "namespace": bench.Namespace,
	}
	return bench.Writer{
		Write: func(int) error {
			ae := to.event.New()
			line, err := json.Marshal(ae)
			if err != nil {
				return err
			}
			return c.Handle(labels, bench.Time(ae), string(line))
		},
		Finish: func() error { c.Stop(); return nil }, // sends what it holds
	}, nil
}

// openSlogLoki logs the same line with slog. It makes every attribute a label, so the event's own fields cannot be
// attributes: each would be a stream.
func openSlogLoki(_ *testing.B, _ int, to target) (bench.Writer, error) {
	c, err := newClient(to)
	if err != nil {
		return bench.Writer{}, err
	}
	logger := slog.New(slogloki.Option{Client: c}.NewLokiHandler()).With(
		"service_name", to.service, "component", bench.Component, "namespace", bench.Namespace)
	ctx := context.Background()
	return bench.Writer{
		Write: func(int) error {
			line, err := json.Marshal(to.event.New())
			if err != nil {
				return err
			}
			logger.LogAttrs(ctx, slog.LevelInfo, string(line))
			return nil
		},
		Finish: func() error { c.Stop(); return nil },
	}, nil
}

// openOTLP is OpenTelemetry's batch processor and OTLP exporter with their defaults: a queue of 2,048 records, beyond
// which the oldest is dropped.
func openOTLP(b *testing.B, _ int, to target) (bench.Writer, error) {
	ctx := b.Context()
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(to.server.URL+"/insert/opentelemetry/v1/logs"))
	if err != nil {
		return bench.Writer{}, err
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", to.service),
			attribute.String("k8s.namespace.name", bench.Namespace))))
	logger := provider.Logger("audit")
	return bench.Writer{
		Write: func(int) error {
			ae := to.event.New()
			line, err := json.Marshal(ae)
			if err != nil {
				return err
			}
			var record log.Record
			record.SetTimestamp(bench.Time(ae))
			record.SetSeverity(log.SeverityInfo)
			record.SetBody(attribute.StringValue(string(line)))
			record.AddAttributes(attribute.String("component", bench.Component), attribute.String("kind", string(ae.Spec.Kind)),
				attribute.String("decision", string(ae.Spec.Decision)), attribute.String("run", ae.Spec.RunRef.Name))
			logger.Emit(ctx, record)
			return nil
		},
		Finish: func() error { return provider.Shutdown(ctx) },
	}, nil
}
