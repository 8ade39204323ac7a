package httpclient

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

	"github.com/paddock-dev/audit/internal/secrets"
	"github.com/paddock-dev/audit/internal/switching"
)

// newTransport returns what sends the requests of a client, whose life ends with ctx. The
// secret of oauth2 is noted in known.
func newTransport(ctx context.Context, o Options, known *secrets.Secrets) (http.RoundTripper, error) {
	h, tokens := o.HTTP, o.HTTP.OAuth2
	h.OAuth2 = nil
	rt, err := promconfig.NewRoundTripperFromConfig(h, o.Name)
	if err != nil {
		return nil, err
	}
	if tokens != nil {
		reader, err := oauth2Secret(tokens)
		if err != nil {
			return nil, err
		}
		d := tokenDialer{life: ctx, timeout: o.TokenTimeout}
		if tokens.Proxy() == nil {
			if d.only, err = addressOf(tokens.TokenURL); err != nil {
				return nil, err
			}
		}
		reader = noted{SecretReader: reader, secrets: known, id: tokens.ClientID}
		rt = promconfig.NewOAuth2RoundTripper(reader, tokens, rt, promconfig.WithDialContextFunc(d.dial), promconfig.WithKeepAlivesDisabled())
	}
	return switching.Refuse(rt), nil
}

func oauth2Secret(o *promconfig.OAuth2) (promconfig.SecretReader, error) {
	text, file, ref := o.ClientSecret, o.ClientSecretFile, o.ClientSecretRef
	if o.GrantType == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		text, file, ref = o.ClientCertificateKey, o.ClientCertificateKeyFile, o.ClientCertificateKeyRef
	}
	switch { // Options.Validate takes one of them at most
	case file != "":
		return promconfig.NewFileSecret(file), nil
	case ref != "":
		return nil, errors.New("oauth2: there is no manager of secrets for a key that ends in _ref: use the one that ends in _file")
	}
	return promconfig.NewInlineSecret(string(text)), nil
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
// the context of the request that needs it, so each token has a connection of its own,
// which ends after the timeout, or when the client's life does. The dialer also keeps a
// redirect from handing the secret to another host, unless a proxy is between.
type tokenDialer struct {
	only    string          // the host and port to connect to; "" for any
	life    context.Context //nolint:containedctx // of the client
	timeout time.Duration
}

func (d tokenDialer) dial(_ context.Context, network, address string) (net.Conn, error) {
	if d.only != "" && !strings.EqualFold(address, d.only) {
		return nil, fmt.Errorf("oauth2: the server of token_url redirects to %s, which would get the secret: set token_url to where the tokens are", address)
	}
	life, cancel := context.WithTimeout(d.life, d.timeout)
	conn, err := new(net.Dialer).DialContext(life, network, address)
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(life, func() {
		cancel()
		_ = conn.SetDeadline(time.Now()) // what waits for it fails now
	})
	return conn, nil
}

// noted notes the secret of oauth2 when it is read. The secret is sent to another server
// and is in no request that can be traced.
type noted struct {
	promconfig.SecretReader

	secrets *secrets.Secrets
	id      string
}

// Fetch reads the secret.
func (n noted) Fetch(ctx context.Context) (string, error) {
	secret, err := n.SecretReader.Fetch(ctx)
	if err == nil && secret != "" {
		n.secrets.Note("Basic " + secrets.Basic(url.QueryEscape(n.id), url.QueryEscape(secret)))
		n.secrets.Note(secret)
	}
	return secret, err
}

// Immutable returns false, so that the secret is noted for each request.
func (n noted) Immutable() bool { return false }
