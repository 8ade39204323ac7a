package testenv_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/testenv"
)

const otelcolConfig = `
receivers: {otlp: {protocols: {http: {endpoint: OTLP-ADDRESS}}}}
exporters: {debug: {verbosity: detailed, sending_queue: {enabled: false}}}
service: {pipelines: {logs: {receivers: [otlp], exporters: [debug]}}}
`

func TestKilledCollectorTakesLogsAgain(t *testing.T) {
	c := testenv.NewOTelCol(t, otelcolConfig)
	for _, body := range []string{"before the kill", "after the kill"} {
		text := `{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "` + body + `"}}]}]}]}`
		resp, err := http.Post(c.URL+"/v1/logs", "application/json", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(c.Printed(), body) {
			t.Fatalf("%s: %s; it printed\n%s", body, resp.Status, c.Printed())
		}
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadCollectorConfigurationSaysWhatTheCollectorSaid(t *testing.T) {
	c, err := testenv.StartOTelCol(strings.Replace(otelcolConfig, "[debug]", "[backend]", 1))
	if err == nil {
		_ = c.Stop()
		t.Fatal("it started")
	}
	if !strings.Contains(err.Error(), `references exporter "backend" which is not configured`) {
		t.Error(err)
	}
	if _, err := testenv.StartOTelCol(""); err == nil || !strings.Contains(err.Error(), "OTLP-ADDRESS") {
		t.Errorf("without an address: %v", err)
	}
}
