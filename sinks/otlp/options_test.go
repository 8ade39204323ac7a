package otlp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/otlp"
)

func TestEndpointTakesBaseOrWholeAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://collector:4318":                                 "http://collector:4318/v1/logs",
		"http://collector:4318/":                                "http://collector:4318/v1/logs",
		"http://collector:4318/v1/logs":                         "http://collector:4318/v1/logs",
		"https://gate/otlp/":                                    "https://gate/otlp/v1/logs",
		"http://victorialogs:9428/insert/opentelemetry":         "http://victorialogs:9428/insert/opentelemetry/v1/logs",
		"http://victorialogs:9428/insert/opentelemetry/v1/logs": "http://victorialogs:9428/insert/opentelemetry/v1/logs",
		"http://loki:3100/otlp/v1/logs/":                        "http://loki:3100/otlp/v1/logs",
		"http://[::1]:4318":                                     "http://[::1]:4318/v1/logs",
	} {
		if u, err := otlp.Endpoint(address); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v; want %s", address, u, err, want)
		}
	}
}

func TestNewNamesEveryWrongOption(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 33 {
		many["a"+strings.Repeat("x", i)] = "v"
	}
	for _, c := range []struct {
		address string
		opts    otlp.Options
		want    string
	}{
		{"", otlp.Options{}, "not an http or https one"},
		{"collector:4318", otlp.Options{}, "not an http or https one"},
		{"grpc://collector:4317", otlp.Options{}, "not an http or https one"},
		{"http://u:hunter2@collector", otlp.Options{}, "basic_auth"},
		{"http://collector/?key=hunter2", otlp.Options{}, "query"},
		{"http://collector\n", otlp.Options{}, "cannot be parsed"},
		{"http://c", otlp.Options{Level: 9}, "Level"},
		{"http://c", otlp.Options{Compression: "zstd"}, "Compression"},
		{"http://c", otlp.Options{Timeout: -time.Second}, "Timeout"},
		{"http://c", otlp.Options{MaxInFlight: -1}, "MaxInFlight"},
		{"http://c", otlp.Options{MaxPendingBytes: 1}, "MaxPendingBytes"},
		{"http://c", otlp.Options{TenantID: "a\nb"}, "TenantID"},
		{"http://c", otlp.Options{ServiceName: strings.Repeat("x", 2049)}, "ServiceName"},
		{"http://c", otlp.Options{ResourceAttributes: many}, "are 33: want at most 32"},
		{"http://c", otlp.Options{ResourceAttributes: map[string]string{"service.name": "x"}}, "ServiceName: set that"},
		{"http://c", otlp.Options{ResourceAttributes: map[string]string{"": "x"}}, "(not a name)"},
		{"http://c", otlp.Options{ResourceAttributes: map[string]string{"a b": "x"}}, "(not a name)"},
		{"http://c", otlp.Options{ResourceAttributes: map[string]string{"region": ""}}, "has no value"},
		{"http://c", otlp.Options{ResourceAttributes: map[string]string{"region": "\xff"}}, "UTF-8"},
		{"http://c", otlp.Options{HTTP: promconfig.HTTPClientConfig{FollowRedirects: true}}, "FollowRedirects"},
	} {
		_, err := otlp.New(c.address, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s %+v: %v, want %s", c.address, c.opts, err, c.want)
		}
	}
	_, err := otlp.New("nowhere", otlp.Options{Compression: "zstd", MaxInFlight: -1})
	for _, want := range []string{"not an http", "Compression", "MaxInFlight"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestLevelIsAcceptedUnlessStated(t *testing.T) {
	t.Parallel()
	for stated, want := range map[auditing.Level]auditing.Level{
		auditing.LevelNone: auditing.LevelAccepted, auditing.LevelAccepted: auditing.LevelAccepted,
		auditing.LevelDurable: auditing.LevelDurable, auditing.LevelAcknowledged: auditing.LevelAcknowledged,
	} {
		opts := otlp.Options{Level: stated}
		if got := auditing.LevelOf(open(t, "http://collector:4318", opts)); got != want || opts.StatedLevel() != want {
			t.Errorf("%s: level %s, stated %s; want %s", stated, got, opts.StatedLevel(), want)
		}
	}
}

func TestSinksShareMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	rec := newReceiver(t, nil)
	for range 2 {
		if err := open(t, rec.URL, otlp.Options{Registerer: reg}).Write(shortly(t), event("one")); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "paddock_audit_otlp_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == "200" && m.GetCounter().GetValue() == 2 {
				return
			}
		}
	}
	t.Errorf("no 2 requests with 200 in %v", families)
}
