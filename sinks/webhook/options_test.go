package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/webhook"
)

func TestNewNamesEveryOptionThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := webhook.New("ftp://receiver", webhook.Options{
		Mode: "hunter2", Level: auditing.LevelDurable, Source: "hunter2 ", Secrets: []promconfig.Secret{secret, "hunter2"}, SecretsFile: "x",
		MaxBatchEvents: 2, MaxInFlight: -1, MaxPendingBytes: 1, Timeout: -1,
		HTTP: promconfig.HTTPClientConfig{
			BearerToken: "hunter2", BasicAuth: &promconfig.BasicAuth{},
			HTTPHeaders: &promconfig.Headers{Headers: map[string]promconfig.Header{"Ce-Id": {Secrets: []promconfig.Secret{"hunter2"}}}},
		},
	})
	if err == nil {
		t.Fatal("New takes it")
	}
	contains(t, err.Error(), "the URL is not an http", "Options.Mode", "Options.Level", "Options.Source", "Options.Secrets: secret 2", "Options.SecretsFile",
		"Options.MaxBatchEvents", "Options.MaxInFlight", "Options.MaxPendingBytes", "Options.Timeout", "basic_auth", "ce-")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v quotes a secret", err)
	}
}

func TestHeadersOfSignatureCannotBeConfigured(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{
		"webhook-id": true, "WebHook-Timestamp": true, "webhook-signature": true, "ce-id": true, "CE-Source": true,
		"WebHook-Request-Origin": false, "X-Team": false,
	} {
		opts := webhook.Options{HTTP: promconfig.HTTPClientConfig{
			HTTPHeaders: &promconfig.Headers{Headers: map[string]promconfig.Header{name: {Values: []string{"x"}}}},
		}}
		if err := opts.Validate(); (err != nil) != refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSourceIsURIWithoutQuery(t *testing.T) {
	t.Parallel()
	for source, valid := range map[string]bool{
		"": true, "/audit": true, "//eu-1.example/audit": true, "https://eu-1.example": true, "urn:cluster:1": true,
		"/audit/": false, "/a b": false, "/ü": false, "/a\"b": false, "/a%zz": false, "/a?b": false, "/a?": false, "/a#": false, "//u:p@host": false, "/a\n": false,
	} {
		if err := (webhook.Options{Source: source}).Validate(); (err == nil) != valid {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestZeroOptionsSignNothing(t *testing.T) {
	t.Parallel()
	m := &memory{}
	sink := open(t, serve(t, m.ServeHTTP), webhook.Options{})
	if err := sink.Write(shortly(t), event("because")); err != nil {
		t.Fatal(err)
	}
	h := m.requests[0].header
	if h.Get("webhook-id") == "" || h.Get("webhook-timestamp") == "" || h.Get("webhook-signature") != "" {
		t.Errorf("headers %v", h)
	}
	if got := sink.Level(); got != auditing.LevelAccepted {
		t.Errorf("level %s", got)
	}
}

func TestOddTextsArriveInBinaryMode(t *testing.T) {
	t.Parallel()
	m := &memory{}
	sink := open(t, serve(t, m.ServeHTTP), webhook.Options{Mode: webhook.ModeBinary, Secrets: secrets})
	ae := event("because")
	ae.Spec.RunRef.Name = "run\r\nX-Evil: 1\r\n\r\n%0d \"ü€😀\""
	if err := sink.Write(shortly(t), ae); err != nil {
		t.Fatal(err)
	}
	if got, want := m.events[0].Subject, "run\ufffd\ufffdX-Evil: 1\ufffd\ufffd\ufffd\ufffd%0d \"ü€😀\""; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	for name := range m.requests[0].header {
		if name == "X-Evil" {
			t.Error("a text became a header")
		}
	}
}

func TestCheckSaysWhetherReceiverIsThere(t *testing.T) {
	t.Parallel()
	for status, passes := range map[int]bool{
		200: true, 204: true, 400: true, 405: true, 429: true, 501: true,
		301: false, 401: false, 403: false, 404: false, 407: false, 410: false, 500: false, 503: false,
	} {
		var method string
		sink := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			method = r.Method
			w.WriteHeader(status)
		}), webhook.Options{})
		if err := sink.Check(shortly(t)); (err == nil) != passes || method != http.MethodOptions {
			t.Errorf("%d to %s: %v", status, method, err)
		}
	}
	if err := open(t, nobody(t.Context(), t), webhook.Options{}).Check(shortly(t)); err == nil {
		t.Error("Check passes where nobody listens")
	}
}

func TestSinksOfOneRegistryShareMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := &memory{}
	address := serve(t, m.ServeHTTP)
	for range 2 {
		if err := open(t, address, webhook.Options{Registerer: reg}).Write(shortly(t), event("because")); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series := f.GetName()
			for _, l := range m.GetLabel() {
				series += "/" + l.GetValue()
			}
			found[series] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()) + m.GetGauge().GetValue()
		}
	}
	for series, want := range map[string]float64{
		"paddock_audit_webhook_requests_total/204": 2, "paddock_audit_webhook_requests_total/none": 0,
		"paddock_audit_webhook_request_bytes": 2, "paddock_audit_webhook_request_events": 2,
		"paddock_audit_webhook_request_duration_seconds": 2, "paddock_audit_webhook_in_flight": 0,
	} {
		if got, ok := found[series]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", series, got, ok, want)
		}
	}
}
