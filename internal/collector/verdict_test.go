package collector_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/collector"
)

// judge returns the worth and the causes that a damaged good configuration leaves.
func judge(t *testing.T, replace ...string) (*collector.Report, []collector.Cause) {
	t.Helper()
	text := strings.NewReplacer(replace...).Replace(good)
	if text == good && len(replace) > 0 {
		t.Fatal("nothing is changed")
	}
	report, err := collector.Parse("c.yaml", []byte(text), noEnvironment)
	must(t, err)
	var causes []collector.Cause
	for _, p := range report.Pipelines {
		for _, w := range p.Ways {
			for _, l := range w.Losses {
				causes = append(causes, l.Cause)
			}
		}
	}
	return report, causes
}

func TestVerdictsOfKeys(t *testing.T) {
	always := []collector.Cause{collector.KillAtStart, collector.Refused, collector.PartialSuccess}
	for _, c := range []struct {
		name    string
		replace []string
		worth   collector.Worth
		good    bool
		causes  []collector.Cause // besides those that no key helps against
	}{
		{"the best queue on disk", nil, collector.Durable, true, nil},
		{"retries that end", []string{"max_elapsed_time: 0s", "max_elapsed_time: 1h"}, collector.Durable, false, []collector.Cause{collector.RetryLimit}},
		{"retries by default", []string{"      max_elapsed_time: 0s\n", ""}, collector.Durable, false, []collector.Cause{collector.RetryLimit}},
		{"no retries", []string{"max_elapsed_time: 0s", "enabled: false"}, collector.Durable, false, []collector.Cause{collector.RetryLimit}},
		{"a storage that begins anew", []string{"fsync: true", "fsync: true\n    recreate: true"}, collector.Durable, false, []collector.Cause{collector.Damaged}},
		{"another storage", []string{"file_storage/q", "redis_storage/q"}, collector.NotKnown, false, []collector.Cause{collector.Unknown}},
		{"an unknown exporter", []string{"otlp_http", "kafka"}, collector.NotKnown, false, []collector.Cause{collector.Unknown}},
		{"debug alone", []string{"otlp_http", "debug"}, collector.Nothing, false, nil},
		{"the old name of the exporter", []string{"otlp_http", "otlphttp/2"}, collector.Durable, true, nil},
		{"gRPC", []string{"otlp_http", "otlp"}, collector.Durable, true, nil},
		{"a filter", []string{"exporters: [", "processors: [filter]\n      exporters: [", "extensions:\n  file", "processors: {filter: }\nextensions:\n  file"}, collector.Durable, false, []collector.Cause{collector.Dropped}},
		{"a passing processor", []string{"exporters: [", "processors: [memory_limiter/2]\n      exporters: [", "extensions:\n  file", "processors: {memory_limiter/2: }\nextensions:\n  file"}, collector.Durable, true, nil},
		{"an unknown processor", []string{"exporters: [", "processors: [mine]\n      exporters: [", "extensions:\n  file", "processors: {mine: }\nextensions:\n  file"}, collector.NotKnown, false, []collector.Cause{collector.Unknown}},
		{"an unknown connector", []string{"exporters: [otlp_http]", "exporters: [count]", "extensions:\n  file", "connectors: {count: }\nextensions:\n  file"}, collector.NotKnown, false, []collector.Cause{collector.Unknown}},
		{"a batch whose queue blocks", []string{"exporters: [", "processors: [batch]\n      exporters: [", "extensions:\n  file", "processors: {batch: }\nextensions:\n  file", "storage:", "block_on_overflow: true\n      storage:"}, collector.Accepted, false, []collector.Cause{collector.Kill}},
		{"a batch whose queue does not", []string{"exporters: [", "processors: [batch]\n      exporters: [", "extensions:\n  file", "processors: {batch: }\nextensions:\n  file"}, collector.Accepted, false, []collector.Cause{collector.Kill, collector.QueueFull}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, causes := judge(t, c.replace...)
			causes = slices.DeleteFunc(causes, func(cause collector.Cause) bool { return slices.Contains(always, cause) })
			if p := report.Pipelines[0]; p.Worth != c.worth || report.Good() != c.good || !slices.Equal(causes, c.causes) {
				t.Errorf("%s, %t, %v, want %s, %t, %v: %+v", p.Worth, report.Good(), causes, c.worth, c.good, c.causes, report)
			}
		})
	}
}

func TestThePipelineIsWorthItsWeakestExporter(t *testing.T) {
	report, _ := judge(t, "exporters: [otlp_http]", "exporters: [otlp_http, debug, otlp_http/2]", "exporters:\n  otlp_http:", "exporters:\n  debug:\n  otlp_http/2:\n  otlp_http:")
	p := report.Pipelines[0]
	if len(p.Ways) != 3 || p.Ways[0].Worth != collector.Durable || p.Ways[1].Worth != collector.Nothing || p.Ways[2].Worth != collector.Accepted || p.Worth != collector.Accepted {
		t.Errorf("%+v", p)
	}
}

func TestAWayGoesThroughConnectors(t *testing.T) {
	report, _ := judge(t,
		"exporters: [otlp_http]", "exporters: [forward/2]\n    logs/behind: {receivers: [forward/2], processors: [batch/1], exporters: [otlp_http]}",
		"extensions:\n  file", "processors: {batch/1: }\nconnectors: {forward/2: }\nextensions:\n  file")
	if len(report.Pipelines) != 1 {
		t.Fatalf("%+v", report)
	}
	w := report.Pipelines[0].Ways[0]
	if got := strings.Join(w.Path, " "); got != "otlp forward/2 batch/1 otlp_http" || w.Worth != collector.Accepted || w.Losses[0].Key != "service.pipelines.logs/behind.processors" {
		t.Errorf("%s: %+v", got, w)
	}
}

func TestAnchorsAndMergesAreFollowed(t *testing.T) {
	report, _ := judge(t, "    endpoint: https://backend.example\n", "    <<: &common {endpoint: https://backend.example, sending_queue: {enabled: false}}\n", "    sending_queue:\n      storage: file_storage/q\n", "")
	if report.Pipelines[0].Worth != collector.Acknowledged {
		t.Errorf("%+v", report)
	}
	report, _ = judge(t, "exporters:\n", "exporters:\n  otlp_http/2: &two {sending_queue: {wait_for_result: true}}\n  otlp_http/3: *two\n", "[otlp_http]", "[otlp_http/3]")
	if report.Pipelines[0].Worth != collector.Acknowledged {
		t.Errorf("%+v", report)
	}
}

func TestADollarIsEscapedByAnother(t *testing.T) {
	report, _ := judge(t, "https://backend.example", `"https://backend.example/$$${NOT_SET}"`, "[otlp_http]", `["otlp_$$http"]`, "  otlp_http:", "  otlp_$http:")
	if report.Pipelines[0].Ways[0].Path[1] != "otlp_$http" {
		t.Errorf("%+v", report)
	}
}
