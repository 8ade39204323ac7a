package logserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/httpclient"
)

// Config says how a Source reads. All of it is set.
type Config struct {
	Name    string // of the source
	Client  string // the name of its HTTP client
	Address string
	Path    string // of the API, which Address may end with
	Tenant  string
	Header  http.Header
	HTTP    promconfig.HTTPClientConfig

	PageSize    int
	MaxPage     int           // the most that the server takes for a limit
	Timeout     time.Duration // of one request
	Retention   time.Duration // how far back a query without Since reads
	Ahead       time.Duration // how far ahead of the present, or of its sending, an event's time may be
	Interval    time.Duration // between polls
	Overlap     time.Duration // of a poll with the one before
	LateOverlap time.Duration // the same for late events
}

// Source reads events from one server. It is safe for concurrent use.
type Source struct {
	Config
	dialect Dialect
	client  *httpclient.Client
	request *http.Request // of which each request is a copy
}

// New returns a source. Its error says what is wrong with the address or with HTTP.
func New(c Config, d Dialect) (*Source, error) {
	base, wrong := root(c.Address, c.Path)
	if err := errors.Join(wrong, httpclient.Check(c.HTTP)); err != nil {
		return nil, err
	}
	client, err := httpclient.New(context.Background(), base, httpclient.Options{
		Name: c.Client, HTTP: c.HTTP, Tenant: c.Tenant, TokenTimeout: c.Timeout, Public: []string{c.Path},
	})
	if err != nil {
		return nil, fmt.Errorf("HTTP: %w", err)
	}
	header := c.Header.Clone()
	header.Set("User-Agent", "paddock-audit")
	return &Source{
		Config: c, dialect: d, client: client,
		request: &http.Request{Method: http.MethodGet, URL: base, Header: header},
	}, nil
}

// root returns the address of the server from that of its root, of a path that a gateway
// puts before it, or of the API.
func root(address, path string) (*url.URL, error) {
	u, err := httpclient.Root(address, "http://loki:3100")
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), path), "/") + "/"
	u.RawPath = ""
	return u, nil
}
