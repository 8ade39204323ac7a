package httpclient

import (
	"errors"
	"fmt"
	"net/url"
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

// Shown returns u as an error may quote it: a query may hold a token.
func Shown(u *url.URL) string {
	plain := *u
	plain.RawQuery, plain.ForceQuery = "", false
	return plain.String()
}
