package httpdriver

import (
	"context"
	"net/http"
)

// Probe asks the server with OPTIONS whether there is something at the address of the client, for a
// Check. That stores nothing. Servers need not know the method, so an answer that only says
// so (400, 405, 501) is no error, nor is 429. Options.Judge and RefusalGrace do not apply.
func (c *Client) Probe(ctx context.Context) error {
	req := &http.Request{Method: http.MethodOptions, URL: c.url, Header: c.header}
	a := c.send(ctx, req, nil, 0)
	if a.Cause != nil {
		return a.Cause
	}
	switch a.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusTooManyRequests:
		return nil
	}
	if a.Status/100 == 2 {
		return nil
	}
	_, a.Advice = usual(a.Status)
	return c.refusal(req, &a)
}
