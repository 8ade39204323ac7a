package httpclient_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/internal/secrets"
)

var public = []string{"/v1/logs", "/otlp/v1/logs"}

func TestShownAddressHasOnlyThePublicEndOfThePath(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://hooks.example/services/T000/B000/hunter2": "https://hooks.example/…",
		"https://hooks.example/hunter2/?hunter2#hunter2":   "https://hooks.example/…",
		"https://hooks.example//hunter2":                   "https://hooks.example/…",
		"https://u:hunter2@hooks.example/":                 "https://hooks.example/",
		"https://hooks.example:8443":                       "https://hooks.example:8443",
		"http://[::1]:4318/v1/logs?hunter2":                "http://[::1]:4318/v1/logs",
		"http://loki:3100/otlp/v1/logs":                    "http://loki:3100/otlp/v1/logs",
		"https://gate/hunter2/v1/logs":                     "https://gate/…/v1/logs",
		"https://gate/hunter2/otlp/v1/logs":                "https://gate/…/otlp/v1/logs",
		"https://gate/v1/logs/hunter2":                     "https://gate/…",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := httpclient.Shown(u, public); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

func TestServerThatRepeatsThePathRevealsNoPartOfIt(t *testing.T) {
	t.Parallel()
	for address, texts := range map[string][]string{
		"https://hooks.example/services/T0000000/hunter2-hunter2": {
			"no page /services/T0000000/hunter2-hunter2", "no page &#34;hunter2-hunter2&#34;", "the token hunter2-hunter2 is not known",
		},
		"https://hooks.example/a%20b/hunter2%2Fhunter2%22?sig=hunter2=": {
			"no page /a%20b/hunter2%2Fhunter2%22", `no page "/a b/hunter2/hunter2\""`, "no sig=hunter2=", "no token hunter2/hunter2&#34;",
		},
		"https://gate/hunter2-hunter2/v1/logs": {"no page /hunter2-hunter2/v1/logs, nor hunter2-hunter2 at /v1/logs"},
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		known := &secrets.Secrets{}
		httpclient.Keep(known, u, public)
		for _, text := range texts {
			if got := known.Shown(text); strings.Contains(got, "hunter2") {
				t.Errorf("%s: %q is shown as %q", address, text, got)
			}
		}
		if text := "POST /v1/logs: no tenant in services"; known.Shown(text) != text && strings.Contains(address, "gate") {
			t.Errorf("%s: %q is shown as %q", address, text, known.Shown(text))
		}
	}
}
