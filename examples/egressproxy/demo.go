package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// demo starts a destination, sends requests through a proxy that records into
// it, shows what the destination holds, then breaks it and shows what a
// component does whose trail is gone.
func demo(ctx context.Context, out io.Writer, o options) (err error) {
	dest, err := openDemo(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dest.stop()) }()

	site := httptest.NewServer(http.HandlerFunc(hello))
	defer site.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(hello))
	defer secure.Close()
	var unrecorded []error
	server := httptest.NewServer(newProxy(dest.sink, []string{"127.0.0.1"}, dest.namespace, "demo-run", func(err error) {
		unrecorded = append(unrecorded, err)
	}))
	defer server.Close()
	client, err := through(server.URL)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "An egress proxy that may reach 127.0.0.1 only, its audit trail: %s (nil means %s).\n",
		auditing.Chain(dest.sink), auditing.LevelOf(dest.sink))
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

	events, err := dest.read(ctx)
	if err != nil {
		return fmt.Errorf("reading back what was recorded: %w", err)
	}
	fmt.Fprintf(out, "\nRecorded, as read back from the %s\n\n", dest.title)
	printEvents(out, events)
	if i := slices.IndexFunc(events, denied); i >= 0 {
		fmt.Fprintf(out, "\nOne of them in full\n\n")
		printEvent(out, &events[i])
	}

	fmt.Fprintf(out, "\nThe same proxy after %s\n\n", dest.fault)
	if err := dest.breakIt(ctx); err != nil {
		return err
	}
	request(ctx, out, client, "http://169.254.169.254/latest/meta-data/iam")
	request(ctx, out, client, site.URL+"/hello")
	fmt.Fprintf(out, "\n  A denial that cannot be recorded is answered with 502. What is allowed goes on, and is reported:\n")
	for _, err := range unrecorded {
		fmt.Fprintf(out, "  %v\n", err)
	}
	if o.proof != "" {
		fmt.Fprintf(out, "\nThe trail is sealed. What proves it:\n\n  auditctl verify --trust %s %s\n",
			filepath.Join(o.proof, trustFile), filepath.Join(o.proof, logFile))
	}
	return nil
}

func openDemo(ctx context.Context, o options) (*demoDestination, error) {
	open, ok := demoDestinations[o.sink]
	switch {
	case !ok:
		return nil, fmt.Errorf("unknown sink %q: one of %s", o.sink, strings.Join(sinkNames(), ", "))
	case o.proof == "":
		return open(ctx)
	case o.sink != "log":
		return nil, errors.New("-proof leaves a log file: leave out -sink, or say -sink log")
	}
	return provenDestination(o.proof)
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

func denied(ae v1alpha1.AuditEvent) bool { return ae.Spec.Decision == v1alpha1.AuditDecisionDenied }

// printEvents prints a table, in the order of the decisions.
func printEvents(out io.Writer, events []v1alpha1.AuditEvent) {
	slices.SortFunc(events, func(a, b v1alpha1.AuditEvent) int {
		if c := auditing.EventTime(&a).Compare(auditing.EventTime(&b)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "  WHEN\tDECISION\tKIND\tDESTINATION\tREASON")
	for i := range events {
		s := &events[i].Spec
		decision := string(s.Decision)
		if denied(events[i]) {
			decision = strings.ToUpper(decision)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n",
			auditing.EventTime(&events[i]).UTC().Format("15:04:05.000000"), decision, s.Kind,
			net.JoinHostPort(s.Destination.Host, fmt.Sprint(s.Destination.Port)), s.Reason)
	}
	_ = table.Flush()
}

func printEvent(out io.Writer, ae *v1alpha1.AuditEvent) {
	ae = ae.DeepCopy()
	ae.ManagedFields = nil // the API server's notes on who set which field
	text, err := json.MarshalIndent(ae, "  ", "  ")
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	fmt.Fprintf(out, "  %s\n", text)
}
