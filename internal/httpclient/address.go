package httpclient

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/paddock-dev/audit/internal/secrets"
)

// Address parses the address of a server. The error does not quote it, because it may hold a
// password, but names an example.
func Address(address, example string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // url.Error quotes the address
		return nil, fmt.Errorf("the URL cannot be parsed: want one like %s", example)
	case u.User != nil:
		return nil, errors.New("the URL holds a user name or password: set basic_auth of the HTTP options instead")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("the URL is not an http or https one: want one like %s", example)
	case u.Fragment != "":
		return nil, fmt.Errorf("the URL has a fragment: want one like %s", example)
	}
	return u, nil
}

// Root is Address for a server whose paths are known, so that the address has no query.
func Root(address, example string) (*url.URL, error) {
	u, err := Address(address, example)
	if err == nil && u.RawQuery != "" {
		return nil, fmt.Errorf("the URL has a query: want one like %s", example)
	}
	return u, err
}

// Shown returns u as an error may quote it: the scheme, the host, and of the path the end
// that is among public. All else may hold a secret, for many receivers of webhooks have theirs
// in the path, and "…" stands for it.
func Shown(u *url.URL, public []string) string {
	host := url.URL{Scheme: u.Scheme, Host: u.Host}
	private, end := split(u.Path, public)
	if private != "" {
		end = "/…" + end
	}
	return host.String() + end
}

// split returns what is before the end of a path that is among public, and this end. A slash
// alone is public.
func split(path string, public []string) (private, end string) {
	if path == "/" {
		return "", path
	}
	for _, p := range public {
		if before, found := strings.CutSuffix(path, p); found && len(p) > len(end) {
			private, end = before, p
		}
	}
	if end == "" {
		private = path
	}
	return private, end
}

// shortestToken is the length, in bytes, from which a part of an address is taken for a secret
// where the text of a server holds it. Shorter ones, such as 1 or true, would spoil the texts.
const shortestToken = 8

// Keep makes the query of u known as a secret, and the path without its public end. No header
// shows them.
func Keep(known *secrets.Secrets, u *url.URL, public []string) {
	known.Keep(u.RawQuery)
	var parts []string
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	private, _ := split(u.EscapedPath(), public)
	for _, part := range append(strings.Split(private, "/"), private) {
		plain, _ := url.PathUnescape(part) // it was parsed, so this cannot fail
		parts = append(parts, part, plain)
	}
	for _, part := range parts {
		if len(part) >= shortestToken {
			known.Keep(part)
		}
	}
}
