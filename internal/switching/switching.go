// Package switching keeps HTTP clients from waiting for ever for the end of an answer
// that has none.
package switching

import (
	"fmt"
	"net/http"
)

// Refuse returns a RoundTripper that makes an error of an answer 101 Switching
// Protocols, or of another status under 200, which none of this project's requests asks
// for. The body of such an answer is the connection itself: who reads it waits until
// the other side closes it, whatever becomes of the request's context.
func Refuse(next http.RoundTripper) http.RoundTripper { return refusing{next} }

type refusing struct{ next http.RoundTripper }

// RoundTrip closes the answer unread when it refuses it.
func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || resp.StatusCode >= http.StatusOK {
		return resp, err
	}
	_ = resp.Body.Close() // nothing of it is wanted
	return nil, fmt.Errorf("status %d %s is no answer to a request: look for a proxy that takes it for that of a WebSocket",
		resp.StatusCode, http.StatusText(resp.StatusCode))
}

// WrappedRoundTripper lets client-go find the transport.
func (r refusing) WrappedRoundTripper() http.RoundTripper { return r.next }

// CloseIdleConnections is for http.Client's method of that name.
func (r refusing) CloseIdleConnections() {
	if c, ok := r.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
