package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// lokiProxy is a proxy to a running Loki that has every profile as a tenant. It sets the tenant of a profile in each
// request, so that the Loki behaves as the test has configured it.
type lokiProxy struct{ server *http.Server }

const tenantHeader = "X-Scope-OrgID"

func reachLoki(opts LokiOptions, address string) (*Loki, error) {
	target, err := url.Parse(address)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("testenv: %s must be the root of a Loki, such as http://127.0.0.1:3100", envLokiURL)
	}
	p, err := lokitest.ProfileOf(opts.Tenants, opts.ProductionLimits, opts.Limits)
	if err != nil {
		return nil, fmt.Errorf("testenv: a Loki that %s names has the named profiles only: %w", envLokiURL, err)
	}
	if err := checkTenants(target); err != nil {
		return nil, err
	}
	tenant := p.Name
	if p.Name == lokitest.ProfileProduction.Name {
		tenant += "-" + strings.ToLower(rand.Text()) // a tenant without overrides has the limits of this profile, so each test can have its own rates
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		if !p.Tenants {
			r.Out.Header.Set(tenantHeader, tenant)
		}
	}}
	own, err := freeAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", own)
	if err != nil {
		return nil, fmt.Errorf("testenv: listen before the Loki of %s: %w", envLokiURL, err)
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: startTimeout}
	go func() { _ = server.Serve(l) }() // stop ends it
	return &Loki{URL: "http://" + own, Options: opts, server: &lokiProxy{server: server}}, nil
}

// checkTenants returns an error unless the Loki has tenants.
func checkTenants(target *url.URL) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.JoinPath("/loki/api/v1/labels").String(), nil)
	if err != nil {
		return fmt.Errorf("testenv: ask the Loki of %s: %w", envLokiURL, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("testenv: reach the Loki of %s: %w", envLokiURL, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("testenv: the Loki of %s answers %s to a request without a tenant, want 401: "+
			"start it with the configuration in internal/lokitest/testdata, see docs/loki-facts.md", envLokiURL, resp.Status)
	}
	return nil
}

func (p *lokiProxy) stop() error {
	if err := p.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("testenv: close the way to the Loki of %s: %w", envLokiURL, err)
	}
	return nil
}

func (p *lokiProxy) kill() error                                { return errOverURL }
func (p *lokiProxy) restart(context.Context, LokiOptions) error { return errOverURL }
