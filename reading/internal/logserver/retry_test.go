package logserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/reading"
)

// lines is a dialect whose answers are JSON arrays of entries.
type lines struct{}

func (lines) Request(*reading.Query, Page) (string, url.Values) { return "/read", nil }
func (lines) TooMuch(text string) bool                          { return strings.Contains(text, "too much") }
func (lines) TooLong(string) bool                               { return false }
func (lines) Decode(body io.Reader) (entries []Entry, err error) {
	err = json.NewDecoder(body).Decode(&entries)
	return entries, err
}

// reply is what a server does with a request.
type reply func() (*http.Response, error)

func answers(status int, text string) reply {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
	}
}

// asksToWait refuses with a header Retry-After.
func asksToWait(status int, retryAfter string) reply {
	return func() (*http.Response, error) {
		resp, err := answers(status, "starting")()
		resp.Header.Set("Retry-After", retryAfter)
		return resp, err
	}
}

func fails(err error) reply { return func() (*http.Response, error) { return nil, err } }

// cut is an answer whose connection breaks.
func cut() reply {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.MultiReader(strings.NewReader("["), broken{}))}, nil
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func good() reply {
	line := `{"kind":"AuditEvent","metadata":{"name":"tea-1"},"spec":{"timestamp":"2026-04-25T12:00:00Z"}}`
	return answers(http.StatusOK, fmt.Sprintf(`[{"Time":1,"Line":%q}]`, line))
}

// script answers each request with the next reply, and later ones with the last.
type script struct {
	replies []reply
	asked   int
}

func (s *script) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked++
	return s.replies[min(s.asked, len(s.replies))-1]()
}

// scripted returns a source whose server follows the script.
func scripted(t *testing.T, replies ...reply) (*Source, *script) {
	t.Helper()
	s, err := New(Config{
		Name: "lake", Client: "test", Address: "http://lake", Path: "/read", Header: http.Header{},
		PageSize: 10, MaxPage: 10, Timeout: time.Minute, Retention: time.Hour, Ahead: time.Hour,
	}, lines{})
	if err != nil {
		t.Fatal(err)
	}
	answering := &script{replies: replies}
	s.client.HTTP.Transport = answering
	return s, answering
}

func reset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// all returns how many events Read yields, and its error.
func all(ctx context.Context, s *Source) (n int, failure error) {
	for _, err := range s.Read(ctx, &reading.Query{}) {
		if err != nil {
			failure = err
			continue
		}
		n++
	}
	return n, failure
}

func TestReadAsksAgainAfterPassingFailures(t *testing.T) {
	for name, c := range map[string]struct {
		failures []reply
		least    time.Duration
	}{
		"connection reset":    {[]reply{fails(reset())}, firstPause / 2},
		"connection closed":   {[]reply{fails(io.EOF), fails(io.ErrUnexpectedEOF)}, firstPause},
		"answer cut":          {[]reply{cut(), cut()}, firstPause},
		"500, 502, 503":       {[]reply{answers(500, "a"), answers(502, "b"), answers(503, "c")}, firstPause},
		"429":                 {[]reply{answers(429, "slow down")}, firstPause / 2},
		"Retry-After seconds": {[]reply{asksToWait(429, "70")}, 70 * time.Second},
		"Retry-After of 503":  {[]reply{asksToWait(503, "40"), asksToWait(503, "40")}, 80 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, server := scripted(t, append(c.failures, good())...)
				began := time.Now()
				n, err := all(t.Context(), s)
				if n != 1 || err != nil || server.asked != len(c.failures)+2 { // for two windows
					t.Errorf("%d events after %d requests: %v", n, server.asked, err)
				}
				if took := time.Since(began); took < c.least || took > c.least+10*time.Second {
					t.Errorf("it waited for %s, want %s and little more", took, c.least)
				}
			})
		})
	}
}

func TestReadGivesUpWithTheLastFailure(t *testing.T) {
	for name, c := range map[string]struct {
		reply reply
		asked int
		want  string
	}{
		"503 for ever":        {answers(503, "starting"), maxTries, "503: starting (tries: 5)"},
		"reset for ever":      {fails(reset()), maxTries, "GET http://lake/read: no answer: read tcp: connection reset by peer (tries: 5)"},
		"an hour to wait":     {asksToWait(429, "3600"), 1, "asks to wait for 1h0m0s (tries: 1)"},
		"400":                 {answers(400, "parse error"), 1, "400: parse error"},
		"401":                 {answers(401, "no"), 1, "check the tenant and the credentials"},
		"404":                 {answers(404, "no"), 1, "check the URL"},
		"501":                 {answers(501, "no"), 1, "501"},
		"no such host":        {fails(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), 1, "no such host"},
		"an alert of TLS":     {fails(&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}), 1, "bad certificate"},
		"an unknown failure":  {fails(errors.New("x509: unknown authority")), 1, "x509"},
		"an answer of others": {answers(200, "<html>"), 1, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, server := scripted(t, c.reply)
				n, err := all(t.Context(), s)
				if n != 0 || err == nil || !strings.Contains(err.Error(), c.want) || server.asked != c.asked {
					t.Errorf("%d events after %d requests: %v", n, server.asked, err)
				}
			})
		})
	}
}

func TestContextEndsTheWaitForAnotherTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := scripted(t, asksToWait(503, "60"))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := all(ctx, s)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "starting") || server.asked != 1 {
			t.Errorf("%d requests: %v", server.asked, err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it ended after %s", took)
		}
	})
}

// A page that is too large is asked for in smaller parts at once, whatever the status is.
func TestTooLargePagesAreNoPassingFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := scripted(t, answers(500, "too much"), good())
		began := time.Now()
		n, err := all(t.Context(), s)
		if n != 1 || err != nil || server.asked < 3 || time.Since(began) > 0 {
			t.Errorf("%d events after %d requests in %s: %v", n, server.asked, time.Since(began), err)
		}
	})
}
