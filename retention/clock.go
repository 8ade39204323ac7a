package retention

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// MaxSkew is how far the clock of the reaper may be from that of the API server. A
// pass goes by the server's clock, which stamped the events, and refuses to delete
// anything when the two are further apart: one of them is wrong, and nothing says
// which.
const MaxSkew = 5 * time.Minute

// serverClock reads the clock of the API server from the header Date of its answers.
type serverClock struct {
	next  http.RoundTripper
	local func() time.Time

	mu    sync.Mutex
	ahead time.Duration // of local, when the last answer came
	known bool
}

// RoundTrip makes a request and notes the time in its answer.
func (c *serverClock) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ahead, c.known = c.local().Sub(at), true
	}
	return resp, nil
}

// now returns the time of the API server, once it has answered.
func (c *serverClock) now() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return time.Time{}, errors.New("retention: the API server's answers have no header Date, so its time is unknown: " +
			"does a proxy remove it?")
	}
	if c.ahead.Abs() > MaxSkew {
		return time.Time{}, fmt.Errorf("retention: the clocks of the reaper and of the API server are %s apart, at most %s are allowed: "+
			"nothing is deleted until they agree", c.ahead.Abs().Round(time.Second), MaxSkew)
	}
	return c.local().Add(-c.ahead), nil
}
