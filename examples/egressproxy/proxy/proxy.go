// Package proxy is a component that leaves an audit trail: a forward proxy with an allow list that records
// every decision before it answers. It knows an auditing.Sink, and no destination.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Component is the name of this component in its events and in an audit configuration.
const Component = "proxy"

const (
	auditTimeout = 3 * time.Second
	dialTimeout  = 10 * time.Second
)

// Proxy is a forward proxy for HTTP and CONNECT that lets requests through to
// the hosts of its allow list, and records each decision before it answers.
//
// It is fail-closed for denials, so that nobody probes it unseen: a denial that
// cannot be recorded is answered with 502 rather than 403. It is fail-open for
// what it allows: the workload goes on, and the failure is counted and logged.
type Proxy struct {
	denials   auditing.Sink // fail-closed
	allowed   auditing.Sink // fail-open
	allow     []string      // hosts
	namespace string
	run       string
	forward   *httputil.ReverseProxy
}

// New returns a proxy that lets requests through to the hosts in allow, and records its decisions in sink, as events
// of that namespace and run. Concurrent requests call onError when an allowed request was not recorded.
func New(sink auditing.Sink, allow []string, namespace, run string, onError func(error)) *Proxy {
	trail := &failures{next: sink, namespace: namespace, run: run}
	return &Proxy{
		denials: trail,
		allowed: auditing.FailOpen(trail, func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { onError(err) }),
		allow:   allow, namespace: namespace, run: run,
		forward: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {}, // the request names its destination itself
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, "the destination did not answer: "+err.Error(), http.StatusBadGateway)
			},
		},
	}
}

// ServeHTTP decides, records the decision, then answers.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, port, err := destination(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// The event is owed even when the client hangs up now.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), auditTimeout)
	defer cancel()
	in := auditing.EgressInput{RunName: p.run, Namespace: p.namespace, Host: host, Port: port}

	if !slices.Contains(p.allow, host) {
		in.Reason = r.Method + " refused: the host is not on the allow list"
		if err := p.denials.Write(ctx, auditing.NewEgressBlock(in)); err != nil {
			http.Error(w, "the decision could not be recorded", http.StatusBadGateway)
			return
		}
		http.Error(w, "egress to "+host+" is not allowed", http.StatusForbidden)
		return
	}
	in.MatchedPolicy = "allow-list"
	in.Reason = r.Method + " allowed: the host is on the allow list"
	_ = p.allowed.Write(ctx, auditing.NewEgressAllow(in)) // nil always: fail-open
	if r.Method == http.MethodConnect {
		p.tunnel(w, r, net.JoinHostPort(host, strconv.Itoa(port)))
		return
	}
	p.forward.ServeHTTP(w, r)
}

// destination returns where a request wants to go.
func destination(r *http.Request) (host string, port int, err error) {
	target := r.URL
	if r.Method == http.MethodConnect {
		target = &url.URL{Scheme: "https", Host: r.Host}
	}
	if target.Host == "" {
		return "", 0, fmt.Errorf("%s is no proxy request: name the destination in full, as in http://host/path", r.URL.Path)
	}
	host = target.Hostname()
	switch {
	case target.Port() != "":
		if port, err = strconv.Atoi(target.Port()); err != nil {
			return "", 0, fmt.Errorf("the port of %q is no number", target.Host)
		}
	case target.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	return host, port, nil
}

// tunnel joins the client of a CONNECT with its destination.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, address string) {
	dialer := net.Dialer{Timeout: dialTimeout}
	upstream, err := dialer.DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, "the destination did not answer: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer upstream.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var done sync.WaitGroup
	done.Go(func() { pipe(upstream, buffered) })
	done.Go(func() { pipe(client, upstream) })
	done.Wait()
}

// pipe copies until src ends, and tells dst so.
func pipe(dst net.Conn, src io.Reader) {
	_, _ = io.Copy(dst, src) // either side may hang up at any time
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
