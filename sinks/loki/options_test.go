package loki_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/sinks/loki"
)

func TestNewNamesEveryOptionThatIsWrong(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"service_name": "x", "late": "x", "__own": "x", "no-dash": "x", "long": strings.Repeat("x", 2049)}
	for i := range 10 {
		labels[fmt.Sprintf("label_%d", i)] = "x"
	}
	_, err := loki.New("ftp://loki", loki.Options{
		Labels: labels, MaxInFlight: -1, MaxPendingBytes: 1, MaxLineBytes: 1, Timeout: -1, TenantID: "a\nb",
		HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "u", Password: "hunter2"}, BearerToken: "hunter2"},
	})
	if err == nil {
		t.Fatal("New takes it")
	}
	contains(t, err.Error(), "the URL", "15", `"service_name" has an option of its own, ServiceName`, `"late"`, `"__own"`, `"no-dash"`, "2049 bytes", "MaxInFlight",
		"MaxPendingBytes", "MaxLineBytes", "Options.Timeout", "TenantID", "basic_auth")
	lacks(t, err.Error(), "hunter2")
}

func TestNewRefusesURLWithSecretAndHidesIt(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://ops:hunter2@loki:3100", "http://hunter2@loki:3100", "http://loki:3100/?token=hunter2",
		"http://loki:3100#hunter2", "http://ops:hunter2@lo ki:3100", "hunter2://loki", "", "loki:3100",
	} {
		_, err := loki.New(address, loki.Options{})
		if err == nil {
			t.Errorf("New takes %q", address)
			continue
		}
		lacks(t, err.Error(), "hunter2")
	}
}

func TestNewRefusesTokenURLWithoutHost(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"hunter2", "http://%zz:hunter2@x", "https://"} {
		_, err := loki.New("http://loki:3100", loki.Options{HTTP: promconfig.HTTPClientConfig{
			OAuth2: &promconfig.OAuth2{ClientID: "a", ClientSecret: "hunter2", TokenURL: address},
		}})
		if err == nil {
			t.Errorf("New takes %q", address)
			continue
		}
		contains(t, err.Error(), "HTTP.OAuth2.TokenURL")
		lacks(t, err.Error(), "hunter2")
	}
}

func TestURLMayBeRootGatewayOrPushAPI(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "/loki/api/v1/push", "/gate/way", "/gate/way/loki/api/v1/push/"} {
		var got string
		address := fake(t, func(w http.ResponseWriter, r *http.Request) { // it only records the path
			got = r.URL.Path
			w.WriteHeader(http.StatusNoContent)
		})
		mustWriteAll(t, open(t, address+path, loki.Options{ProveEvery: -1}), event(namespace(), "x"))
		want := "/loki/api/v1/push"
		if strings.HasPrefix(path, "/gate") {
			want = "/gate/way" + want
		}
		if got != want {
			t.Errorf("%q pushes to %q, want %q", path, got, want)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	check := func(address string) string {
		err := open(t, address, loki.Options{}).Check(shortly(t))
		if err == nil {
			return ""
		}
		return err.Error()
	}
	contains(t, check(permissiveKilled(t)), "cannot be reached", "connection refused")
	contains(t, check("http://loki.invalid:3100"), "cannot be reached", "loki.invalid")
	// A real Loki cannot be made to give these answers. Some are those of a gateway.
	status := func(ready, push int) string {
		return check(fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ready" {
				http.Error(w, "Ingester not ready", ready)
				return
			}
			http.Error(w, "some text", push)
		}))
	}
	contains(t, status(503, 204), "not ready", "Ingester not ready")
	contains(t, status(404, 404), "404", "check that the URL is Loki's")
	contains(t, status(200, 403), "403", "credentials")
	contains(t, status(200, 400), "400", "some text")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, permissive.get(t).URL, loki.Options{}).Check(ctx); err == nil {
		t.Error("Check passes under an ended context")
	}
	if got := check(permissive.get(t).URL); got != "" {
		t.Error(got)
	}
}

func TestSinksOfOneRegistryShareMetrics(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	reg := prometheus.NewPedanticRegistry()
	for range 2 {
		mustWriteAll(t, open(t, l.URL, loki.Options{Registerer: reg}), event(namespace(), "x"))
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			found[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()) + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"paddock_audit_loki_pushes_total/204": 2, "paddock_audit_loki_pushes_total/none": 0,
		"paddock_audit_loki_push_bytes": 2, "paddock_audit_loki_push_events": 2,
		"paddock_audit_loki_push_duration_seconds": 2, "paddock_audit_loki_in_flight": 0,
	} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", name, got, ok, want)
		}
	}
}
