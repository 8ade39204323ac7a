package logserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/paddock-dev/audit/reading"
)

const (
	// maxBody bounds an answer, in bytes, and so the memory that a page takes. A page with
	// more is asked for again with a lower limit.
	maxBody = 8 << 20
	// maxEntry bounds the answer to a request for one entry. VictoriaLogs takes rows of up to
	// 2 MB, and escapes may make six bytes of one.
	maxEntry = 16 << 20
)

var (
	errTooMuch = errors.New("the answer has too many entries or bytes")
	errTooLong = errors.New("the query covers too much time")
	errSlow    = errors.New("the server did not answer in time")
)

// ask asks for a page once, whose entries it returns oldest first. The error may wrap
// errTooMuch, errTooLong or a *transientError, and has no secret.
func (s *Source) ask(ctx context.Context, q *reading.Query, p Page) ([]Entry, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, errSlow)
	defer cancel()
	path, parameters := s.dialect.Request(q, p)
	req := *s.request
	req.URL = req.URL.JoinPath(path)
	where := s.client.Named(&req)
	req.URL.RawQuery = parameters.Encode()
	resp, err := s.client.Ask(ctx, &req, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", where, context.Cause(ctx))
		}
		if passes(err) {
			return nil, &transientError{error: err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, s.refusal(where, resp)
	}
	size := maxBody
	if p.Limit == 1 {
		size = maxEntry
	}
	body := &bounded{from: resp.Body, left: size}
	entries, err := s.dialect.Decode(body)
	switch {
	case body.left <= 0:
		return nil, fmt.Errorf("%s: more than %d MiB: %w", where, size>>20, errTooMuch)
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", where, context.Cause(ctx))
	case err != nil:
		hidden := fmt.Errorf("%s: the answer cannot be read: %w", where, s.client.Hidden(err))
		if body.broken != nil {
			return nil, &transientError{error: hidden}
		}
		return nil, hidden
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Time, b.Time) })
	return entries, nil
}

// refusal returns the error of an answer other than 200.
func (s *Source) refusal(where string, resp *http.Response) error {
	text := s.client.Text(resp)
	err := fmt.Errorf("%s refused: %d: %s", where, resp.StatusCode, cmp.Or(s.client.Shown(text), http.StatusText(resp.StatusCode)))
	switch code := resp.StatusCode; {
	case s.dialect.TooMuch(text):
		return fmt.Errorf("%w: %w", err, errTooMuch)
	case s.dialect.TooLong(text):
		return fmt.Errorf("%w: %w", err, errTooLong)
	case code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusProxyAuthRequired:
		return fmt.Errorf("%w: check the tenant and the credentials", err)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: check the URL", err)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: redirects are not followed, for another host would get the credentials: set the URL to where the server is", err)
	}
	return passing(err, resp)
}

// bounded ends with an error when more is read of it than is left.
type bounded struct {
	from   io.Reader
	left   int
	broken error // of from, other than its end
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken = err
	}
	return n, err
}
