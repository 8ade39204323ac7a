package main

import (
	"os"
	"strings"
	"testing"
)

// durableCollector has its queue on disk, and no key that would save another event.
const durableCollector = `receivers:
  otlp: {protocols: {http: {endpoint: 0.0.0.0:4318}}}
exporters:
  otlp_http:
    endpoint: https://backend.example:4318
    sending_queue: {storage: file_storage}
    retry_on_failure: {max_elapsed_time: 0s}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
service:
  extensions: [file_storage]
  pipelines:
    logs: {receivers: [otlp], exporters: [otlp_http]}
`

// collectorConfig has the default queue behind a batch, one without a queue behind a connector, and what is not known.
const collectorConfig = `receivers:
  otlp: {protocols: {http: {endpoint: 0.0.0.0:4318}}}
processors:
  batch:
  memory_limiter: {check_interval: 1s, limit_mib: 512}
exporters:
  otlp_http/lake: {endpoint: "https://lake.example:4318"}
  otlp_grpc/archive: {endpoint: "archive.example:4317", sending_queue: {enabled: false}}
  kafka: {brokers: ["kafka.example:9092"]}
  debug:
connectors:
  forward:
service:
  pipelines:
    logs/audit: {receivers: [otlp], processors: [memory_limiter], exporters: [forward, debug]}
    logs/archive: {receivers: [forward], exporters: [otlp_grpc/archive, kafka]}
    logs/lake: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_http/lake]}
    traces: {receivers: [otlp], processors: [batch], exporters: [otlp_http/lake]}
`

func TestTheCollectorInTheDocsIsTheDurableOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil || !strings.Contains(string(text), "```yaml\n"+durableCollector+"```") {
		t.Errorf("the docs show another one: %v", err)
	}
}

func TestCheckCollectorReadsTheStandardInput(t *testing.T) {
	env := &environment{in: strings.NewReader(durableCollector)}
	code, out, errOut := auditctlIn(t, env, "check-collector", "-")
	if code != 0 || !strings.HasPrefix(out, "logs: durable") || errOut != "" {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}

func TestCheckCollectorTakesVariablesOfItsEnvironment(t *testing.T) {
	text := strings.Replace(durableCollector, "fsync: true", `fsync: "${env:FSYNC:-hunter2}"`, 1)
	for value, want := range map[string]struct {
		code int
		text string
	}{
		"true":  {0, "logs: durable"},
		"false": {1, "logs: accepted"},
		"":      {1, "-:9: extensions.file_storage.fsync: is ${env:FSYNC}, whose value is not known here"},
		"maybe": {1, "-:9: extensions.file_storage.fsync: want true or false"},
	} {
		env := &environment{in: strings.NewReader(text), getenv: func(string) string { return value }}
		code, out, errOut := auditctlIn(t, env, "check-collector", "-")
		if code != want.code || !strings.Contains(out+errOut, want.text) || strings.Contains(out+errOut, "hunter2") {
			t.Errorf("FSYNC=%s: %d %s%s", value, code, out, errOut)
		}
	}
}

func TestCheckCollectorPrintsNothingATerminalActsOn(t *testing.T) {
	text := strings.NewReplacer("otlp_http", `"otlp_http/\e[2J\u202e"`).Replace(durableCollector)
	for _, form := range []string{"text", "json"} {
		code, out, errOut := auditctlIn(t, &environment{in: strings.NewReader(text)}, "check-collector", "-o", form, "-")
		if code != 0 || strings.ContainsAny(out+errOut, "\x1b\u202e") || !strings.Contains(out, `\u001b[2J\u202e`) {
			t.Errorf("%s: %d %s%s", form, code, out, errOut)
		}
	}
}
