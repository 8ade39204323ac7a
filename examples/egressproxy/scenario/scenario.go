// Package scenario shows the egress proxy at work: real requests through it, and the events that they leave at a
// destination.
package scenario

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
)

// Run sends requests through a proxy that records at dest, and prints what dest
// holds. Then it breaks dest, and shows what a component does whose trail is
// gone. At the end it stops dest.
func Run(ctx context.Context, out io.Writer, dest *Destination) (err error) {
	defer func() { err = errors.Join(err, dest.Stop()) }()

	site := httptest.NewServer(http.HandlerFunc(hello))
	defer site.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(hello))
	defer secure.Close()
	var unrecorded []error
	server := httptest.NewServer(proxy.New(dest.Sink, []string{"127.0.0.1"}, dest.Namespace, "demo-run", func(err error) {
		unrecorded = append(unrecorded, err)
	}))
	defer server.Close()
	client, err := through(server.URL)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "An egress proxy that may reach 127.0.0.1 only, its audit trail: %s (nil means %s).\n",
		auditing.Chain(dest.Sink), auditing.LevelOf(dest.Sink))
	fmt.Fprintf(out, "\nRequests through it\n\n")
	for _, address := range []string{
		site.URL + "/hello",
		"http://169.254.169.254/latest/meta-data/iam",
		secure.URL + "/hello",
		"https://paste.example.com/upload",
		"http://[fd00::1]:8443/admin",
	} {
		request(ctx, out, client, address)
	}

	events, err := dest.Read(ctx)
	if err != nil {
		return fmt.Errorf("reading back what was recorded: %w", err)
	}
	fmt.Fprintf(out, "\nRecorded, as read back from the %s\n\n", dest.Title)
	printEvents(out, events)
	if i := slices.IndexFunc(events, denied); i >= 0 {
		fmt.Fprintf(out, "\nOne of them in full\n\n")
		printEvent(out, &events[i])
	}

	fmt.Fprintf(out, "\nThe same proxy after %s\n\n", dest.Fault)
	if err := dest.Break(ctx); err != nil {
		return err
	}
	request(ctx, out, client, "http://169.254.169.254/latest/meta-data/iam")
	request(ctx, out, client, site.URL+"/hello")
	fmt.Fprintf(out, "\n  A denial that cannot be recorded is answered with 502. What is allowed goes on, and is reported:\n")
	for _, err := range unrecorded {
		fmt.Fprintf(out, "  %v\n", err)
	}
	return nil
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello from %s", r.Host) }

// through returns a client that sends everything through the proxy.
func through(proxyURL string) (*http.Client, error) {
	u, err := url.Parse(proxyURL)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			Proxy:             http.ProxyURL(u),
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the demo's own server
			DisableKeepAlives: true,
		},
	}, nil
}

func request(ctx context.Context, out io.Writer, client *http.Client, address string) {
	answer := "no answer"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = client.Do(r); err == nil {
			answer = resp.Status
			_ = resp.Body.Close()
		}
	}
	if err != nil { // what the proxy answers to a CONNECT comes as an error
		answer = err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
	}
	fmt.Fprintf(out, "  GET %-50s %s\n", address, answer)
}
