package loki_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

// A component opens its sink once, and writes the event before it acts.
func Example() {
	// This server replaces a Loki, so that the example runs anywhere.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()

	sink, err := loki.New(server.URL, loki.Options{
		Component:  "egress-proxy",
		Labels:     map[string]string{"cluster": "eu-1"},
		ProveEvery: -1, // the server above takes any timestamp; leave this out for Loki
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "run-1", Host: "example.com", Port: 443})
	if err := sink.Write(ctx, ae); err != nil {
		fmt.Println("deny:", err)
		return
	}
	fmt.Println("stored, level", sink.Level())
	fmt.Println(sink.Close(ctx))
	fmt.Println(errors.Is(sink.Write(ctx, ae), auditing.ErrAuditWrite))
	// Output:
	// stored, level acknowledged
	// <nil>
	// true
}

// Credentials belong in Options.HTTP, never in the URL.
func ExampleNew_credentials() {
	_, err := loki.New("https://ops:secret@loki.example.com", loki.Options{})
	fmt.Println(err)
	_, err = loki.New("https://loki.example.com", loki.Options{
		TenantID: "team-a",
		HTTP: config.HTTPClientConfig{
			Authorization: &config.Authorization{CredentialsFile: "/var/run/secrets/loki/token"}, // read again when it changes
			TLSConfig:     config.TLSConfig{CAFile: ""},
		},
	})
	fmt.Println(err)
	// Output:
	// loki: invalid options: the URL holds a user name or password: set basic_auth of the HTTP options instead
	// <nil>
}
