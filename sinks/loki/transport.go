package loki

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/switching"
)

const clientName = "paddock-audit-loki" // in the metrics of Prometheus' connections

// newTransport returns what sends the requests of a sink, whose life ends with ctx. The
// secret of oauth2 is noted in known.
func newTransport(ctx context.Context, o Options, known *secrets) (http.RoundTripper, error) {
	h := o.HTTP
	h.OAuth2 = nil
	if o.HTTP.OAuth2 != nil {
		h.HTTPHeaders = nil // not for the server of the tokens
	}
	rt, err := promconfig.NewRoundTripperFromConfig(h, clientName)
	if err != nil {
		return nil, err
	}
	if o.HTTP.OAuth2 != nil {
		secret, err := oauth2Secret(o.HTTP.OAuth2)
		if err != nil {
			return nil, err
		}
		d := tokenDialer{life: ctx, timeout: o.Timeout}
		if o.HTTP.OAuth2.Proxy() == nil {
			if d.only, err = addressOf(o.HTTP.OAuth2.TokenURL); err != nil {
				return nil, err
			}
		}
		secret = noted{SecretReader: secret, secrets: known, id: o.HTTP.OAuth2.ClientID}
		rt = promconfig.NewOAuth2RoundTripper(secret, o.HTTP.OAuth2, rt, promconfig.WithDialContextFunc(d.dial))
		if o.HTTP.HTTPHeaders != nil {
			rt = promconfig.NewHeadersRoundTripper(o.HTTP.HTTPHeaders, rt)
		}
	}
	return switching.Refuse(rt), nil
}

func oauth2Secret(o *promconfig.OAuth2) (promconfig.SecretReader, error) {
	text, file, ref := o.ClientSecret, o.ClientSecretFile, o.ClientSecretRef
	if o.GrantType == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		text, file, ref = o.ClientCertificateKey, o.ClientCertificateKeyFile, o.ClientCertificateKeyRef
	}
	switch {
	case text != "":
		return promconfig.NewInlineSecret(string(text)), nil
	case file != "":
		return promconfig.NewFileSecret(file), nil
	case ref != "":
		return nil, errors.New("oauth2: there is no manager of secrets for a key that ends in _ref: use the one that ends in _file")
	}
	return promconfig.NewInlineSecret(""), nil
}

// addressOf returns the host and port of a URL.
func addressOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("is no URL: want one like https://tokens.example/token") // url.Error quotes it
	}
	port := cmp.Or(u.Port(), "80")
	if u.Scheme == "https" {
		port = cmp.Or(u.Port(), "443")
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// tokenDialer connects to the server of oauth2's tokens. A token is fetched without
// the context of the request that needs it, so the connection has the bounds: an
// exchange ends after the timeout, and all of them when the sink is closed. It also
// keeps a redirect from handing the secret to another host, unless a proxy is between.
type tokenDialer struct {
	only    string          // the host and port to connect to; "" for any
	life    context.Context //nolint:containedctx // of the sink
	timeout time.Duration
}

func (d tokenDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.only != "" && !strings.EqualFold(address, d.only) {
		return nil, fmt.Errorf("oauth2: the server of token_url redirects to %s, which would get the secret: set token_url to where the tokens are", address)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	stop := context.AfterFunc(d.life, cancel)
	defer stop()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &tokenConn{Conn: conn, timeout: d.timeout}
	c.forget = context.AfterFunc(d.life, func() { _ = conn.Close() })
	return c, nil
}

type tokenConn struct {
	net.Conn

	timeout time.Duration
	forget  func() bool
}

// Write gives the exchange that begins with it the timeout.
func (c *tokenConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *tokenConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
