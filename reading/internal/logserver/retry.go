package logserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/reading"
)

const (
	// maxTries is how often a page is asked for before its failure counts.
	maxTries = 5
	// tryFor bounds the time from the first of these requests to the last one. It is the
	// longest Retry-After that is waited for.
	tryFor = 2 * time.Minute
)

// transientError is a failure that may pass by itself.
type transientError struct {
	error
	after time.Duration // for which the server asks the client to wait; 0 for nothing said
}

func (e *transientError) Unwrap() error { return e.error }

// page asks for a page, whose entries it returns oldest first. It asks again after a failure
// that may pass by itself. The error may wrap errTooMuch or errTooLong, and has no secret.
func (s *Source) page(ctx context.Context, q *reading.Query, p Page) ([]Entry, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.Multiplier, pauses.MaxInterval = firstPause, 2, longestPause
	began := time.Now()
	for tries := 1; ; tries++ {
		entries, err := s.ask(ctx, q, p)
		var passing *transientError
		if !errors.As(err, &passing) {
			return entries, err
		}
		pause := max(pauses.NextBackOff(), passing.after)
		if tries == maxTries || time.Since(began)+pause > tryFor {
			return nil, fmt.Errorf("%w (tries: %d)", err, tries)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w, before this was asked for again: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// passes reports that a request without a whole answer may get one the next time: the
// connection failed, and neither TLS nor the name of the host is the reason.
func passes(err error) bool {
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return false
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op != "remote error" && network.Op != "local error" // alerts of TLS
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// passing marks the error of an answer that another request may not get.
func passing(err error, resp *http.Response) error {
	code := resp.StatusCode
	if code != http.StatusTooManyRequests && (code < 500 || code == http.StatusNotImplemented) {
		return err
	}
	after := httpclient.RetryAfter(resp.Header.Get("Retry-After"), time.Now())
	if after > 0 {
		err = fmt.Errorf("%w; the server asks to wait for %s", err, after.Round(time.Second))
	}
	return &transientError{err, after}
}
