package httpclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/secrets"
)

// Read returns the body of an answer, at most its first limit bytes. When that is not all of
// it, the error says why, and the body does not end with the beginning of a secret. The body
// may hold whole secrets: Shown returns a text of it as an error may quote it.
func (c *Client) Read(resp *http.Response, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if len(body) > limit {
		body, err = body[:limit], fmt.Errorf("the answer has more than %d bytes", limit)
	}
	if err != nil {
		body = []byte(c.Uncut(string(body)))
	}
	return body, err
}

// Text returns the beginning of the body of an answer. It may hold secrets: Shown returns
// it as an error may quote it.
func (c *Client) Text(resp *http.Response) string {
	head, _ := c.Read(resp, secrets.MaxText) // when the connection breaks, the beginning is enough
	return strings.TrimSpace(string(head))
}

// LongestRetryAfter is the longest pause that RetryAfter returns.
const LongestRetryAfter = 24 * time.Hour

// RetryAfter returns the pause in the value of a header Retry-After (RFC 9110, 10.2.3), which is a
// number of seconds or a date. It is 0 for a date in the past, and for anything else.
func RetryAfter(value string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && seconds > uint64(LongestRetryAfter/time.Second):
		return LongestRetryAfter
	case err == nil:
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), LongestRetryAfter)
	}
	return 0
}
