package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// A component opens its sink once, and writes the event before it acts.
func Example() {
	// This server replaces a receiver, which would store the event.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("ce-type"), "about", r.Header.Get("ce-subject"))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()

	sink, err := webhook.New(server.URL, webhook.Options{Component: "egress-proxy", Mode: webhook.ModeBinary})
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
	fmt.Println("level", sink.Level())
	fmt.Println(sink.Close(ctx))
	// Output:
	// dev.paddock.audit.egress-block.v1alpha1 about run-1
	// level accepted
	// <nil>
}
