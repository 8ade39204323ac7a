package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// hanging returns the address of a server that answers when release is called, and a channel
// that tells of each request.
func hanging(t *testing.T) (address string, arrived chan struct{}, release func()) {
	arrived = make(chan struct{}, 10)
	released, end := context.WithCancel(context.Background())
	address = serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-released.Done():
		case <-r.Context().Done():
		}
	})
	t.Cleanup(end)
	return address, arrived, end
}

// posting posts in the background.
func posting(ctx context.Context, c *httpdriver.Client) <-chan httpdriver.Answer {
	done := make(chan httpdriver.Answer, 1)
	go func() { done <- c.Post(ctx, []byte("event"), nil) }()
	return done
}

var errLeft = errors.New("the user has left")

func TestRequestEndsWithTheContextOfItsCaller(t *testing.T) {
	t.Parallel()
	address, arrived, _ := hanging(t)
	c := open(t, address, httpdriver.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := posting(ctx, c)
	soon(t, arrived)
	cancel()
	a := soon(t, done)
	expect(t, a, httpdriver.Unclear, auditing.ClassTimeout, "outcome is unknown", "no answer", "context canceled")
	if !errors.Is(a.Err, context.Canceled) {
		t.Errorf("%v has no context.Canceled", a.Err)
	}
	expect(t, c.Post(ctx, nil, nil), httpdriver.NotSent, auditing.ClassTimeout, "not sent")

	left, leave := context.WithCancelCause(t.Context())
	done = posting(left, c)
	soon(t, arrived)
	leave(errLeft)
	if a := soon(t, done); !errors.Is(a.Err, errLeft) {
		t.Errorf("%v has not the cause", a.Err)
	}
}

func TestRequestEndsAfterItsTimeout(t *testing.T) {
	t.Parallel()
	address, _, _ := hanging(t)
	c := open(t, address, httpdriver.Options{Timeout: 100 * time.Millisecond})
	a := post(t, c)
	expect(t, a, httpdriver.Unclear, auditing.ClassTransient, "Options.Timeout is over")
	if errors.Is(a.Err, context.DeadlineExceeded) {
		t.Errorf("%v looks like the caller's deadline", a.Err)
	}
	contains(t, c.Get(shortly(t), "/", 0).Err, "Options.Timeout is over")
}

func TestCloseWaitsForRequestsAndRefusesOthers(t *testing.T) {
	t.Parallel()
	address, arrived, release := hanging(t)
	c := open(t, address, httpdriver.Options{})
	done := posting(t.Context(), c)
	soon(t, arrived)
	closed := make(chan error, 1)
	go func() { closed <- c.Close(shortly(t)) }()
	var refused httpdriver.Answer
	for begun := time.Now(); time.Since(begun) < patience; { // until Close refuses requests
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		refused = c.Post(ctx, nil, nil)
		cancel()
		if !errors.Is(refused.Err, context.DeadlineExceeded) {
			break
		}
	}
	expect(t, refused, httpdriver.NotSent, auditing.ClassClosed, "closed")
	select {
	case err := <-closed:
		t.Errorf("Close returns before the answer: %v", err)
	default:
	}
	release()
	if a := soon(t, done); a.Err != nil {
		t.Error(a.Err)
	}
	if err := soon(t, closed); err != nil {
		t.Error(err)
	}
	contains(t, c.Get(shortly(t), "/", 0).Err, "closed")
}

func TestCloseEndsRequestsWithItsContext(t *testing.T) {
	t.Parallel()
	address, arrived, _ := hanging(t)
	c := open(t, address, httpdriver.Options{})
	first, second := posting(t.Context(), c), posting(t.Context(), c)
	soon(t, arrived)
	soon(t, arrived)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- c.Close(ctx) }()
	err := soon(t, closed)
	contains(t, err, "2 requests", "outcome of their events is unknown")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not wrap the end of the context", err)
	}
	for _, done := range []<-chan httpdriver.Answer{first, second} {
		expect(t, soon(t, done), httpdriver.Unclear, auditing.ClassClosed, "the sink was closed before the server answered")
	}
	go func() { closed <- c.Close(ctx) }()
	if err := soon(t, closed); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestGetStaysOnTheServer(t *testing.T) {
	t.Parallel()
	var asked string
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path })
	c := open(t, address+"/gateway/in?key=value", httpdriver.Options{})
	for page, want := range map[string]string{
		"/ready": "/ready", "health": "/gateway/health", address + "/x/y": "/x/y", "": "/gateway/in",
	} {
		if a := c.Get(shortly(t), page, 0); a.Err != nil || asked != want {
			t.Errorf("%q asks for %q, want %q: %v", page, asked, want, a.Err)
		}
	}
	for _, page := range []string{"http://other.example/", "//other.example/", "https" + address[4:], "http://a:hunter2@" + address[7:], "%zz"} {
		if a := c.Get(shortly(t), page, 0); a.Err == nil || a.Status != 0 {
			t.Errorf("%q is asked for", page)
		} else {
			lacks(t, a.Err, "hunter2")
		}
	}
	contains(t, open(t, answering(t, 503, "starting"), httpdriver.Options{PublicPaths: []string{"/ready"}}).Get(shortly(t), "/ready", 0).Err, "GET ", "/ready refused: 503: starting")
	contains(t, open(t, answering(t, 404, "no"), httpdriver.Options{}).Get(shortly(t), "/ready", 0).Err, "check the URL")
}

// silence is a transport that never answers and tells of no connection.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestWrappedTransportProvesNothingOfConnections(t *testing.T) {
	t.Parallel()
	c := open(t, "http://server.example", httpdriver.Options{
		Timeout: 10 * time.Millisecond, Wrap: func(http.RoundTripper) http.RoundTripper { return silence{} },
	})
	expect(t, post(t, c), httpdriver.Unclear, auditing.ClassTransient, "Options.Timeout is over")
}
