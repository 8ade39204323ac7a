package otlp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/otlp"
)

// A component opens its sink once, and writes the event before it acts.
func Example() {
	// This server replaces a collector, so that the example runs anywhere.
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK) // with an empty body: nothing is rejected
	}))
	defer collector.Close()
	ctx := context.Background()

	sink, err := otlp.New(collector.URL, otlp.Options{
		Component: "broker",
		// This collector has no queue: it answers once its backend has.
		Level: auditing.LevelAcknowledged,
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = sink.Close(ctx) }()
	if err := sink.Check(ctx); err != nil {
		fmt.Println("not ready:", err)
		return
	}
	err = sink.Write(ctx, auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		Namespace: "team-a", RunName: "run-42", CredentialName: "github-token",
	}))
	fmt.Println(auditing.LevelOf(sink), err)
	// Output: acknowledged <nil>
}

// The HTTP options have the keys of Prometheus. A password comes from a file, which is read again when it changes.
func ExampleNew_options() {
	sink, err := otlp.New("https://gate.example.com/otlp", otlp.Options{
		ServiceName:        "paddock",
		ResourceAttributes: map[string]string{"k8s.cluster.name": "eu-1"},
		ResendPartial:      true, // the backend takes records with one log.record.uid for one
		Timeout:            30 * time.Second,
		HTTP: config.HTTPClientConfig{
			BasicAuth: &config.BasicAuth{Username: "audit", PasswordFile: "/etc/audit/password"},
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(auditing.LevelOf(sink))
	fmt.Println(errors.Join(sink.Close(context.Background())))
	// Output:
	// accepted
	// <nil>
}
