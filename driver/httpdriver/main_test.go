package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

const patience = 20 * time.Second

// serve returns the address of a server that reads each request before handle answers it.
func serve(tb testing.TB, handle http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		handle(w, r)
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// answering returns the address of a server whose answers are all the same.
func answering(tb testing.TB, status int, text string) string {
	tb.Helper()
	return serve(tb, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})
}

// open returns a client that is closed at the end of the test.
func open(tb testing.TB, address string, opts httpdriver.Options) *httpdriver.Client {
	tb.Helper()
	c, err := httpdriver.New(address, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// shortly returns a context for a request that should be answered soon.
func shortly(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func post(tb testing.TB, c *httpdriver.Client) httpdriver.Answer {
	tb.Helper()
	return c.Post(shortly(tb), []byte("event"), nil)
}

// soon returns what comes of done, and fails the test when nothing does.
func soon[T any](tb testing.TB, done <-chan T) T {
	tb.Helper()
	select {
	case got := <-done:
		return got
	case <-time.After(patience):
		tb.Fatal("nothing comes of it")
		panic("unreachable")
	}
}

// expect fails the test unless an answer has this verdict, and an error of this class with these texts.
func expect(tb testing.TB, a httpdriver.Answer, verdict httpdriver.Verdict, class auditing.Class, texts ...string) {
	tb.Helper()
	if a.Verdict != verdict || a.Err == nil {
		tb.Fatalf("%q, want %q: %v", a.Verdict, verdict, a.Err)
	}
	if got, _ := driver.ClassOf(a.Err); got != class {
		tb.Errorf("class %s, want %s: %v", got, class, a.Err)
	}
	if !errors.Is(a.Err, a.Cause) {
		tb.Errorf("%v is not in the chain of %v", a.Cause, a.Err)
	}
	contains(tb, a.Err, texts...)
}

func contains(tb testing.TB, err error, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			tb.Errorf("%v does not say %q", err, text)
		}
	}
}

func lacks(tb testing.TB, err error, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if strings.Contains(err.Error(), text) {
			tb.Errorf("%v says %q", err, text)
		}
	}
}
