package lokifacts_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/internal/lokitest"
	"github.com/paddock-dev/audit/internal/lokitest/lokifacts"
)

// wrong is a fault of a stand-in. The zero value is no fault.
type wrong struct {
	limits map[string]any                                               // keys of limits_config
	config func(c *lokitest.Config)                                     // other changes of the configuration
	answer func(r *http.Request, status int, body string) (int, string) // changes an answer
	forget bool                                                         // a restart loses everything
}

// serve serves a stand-in with this fault in the process of the test.
func serve(t *testing.T, p lokitest.Profile, w wrong) lokifacts.Server {
	t.Helper()
	c := p.Config()
	maps.Copy(c.Limits, w.limits)
	if w.config != nil {
		w.config(&c)
	}
	c.Dir = t.TempDir()
	open := func() *lokitest.Standin {
		s, err := lokitest.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var current atomic.Pointer[lokitest.Standin]
	current.Store(open())
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if w.answer == nil {
			current.Load().ServeHTTP(out, r)
			return
		}
		inner := httptest.NewRecorder()
		current.Load().ServeHTTP(inner, r)
		status, body := w.answer(r, inner.Code, inner.Body.String())
		out.WriteHeader(status)
		_, _ = out.Write([]byte(body))
	}))
	t.Cleanup(func() {
		server.Close()
		if err := current.Load().Close(); err != nil {
			t.Error(err)
		}
	})
	return lokifacts.Server{URL: server.URL, Restart: func(context.Context) error {
		if err := current.Load().Close(); err != nil {
			return err
		}
		if w.forget {
			c.Dir = t.TempDir()
		}
		current.Store(open())
		return nil
	}}
}
