package logserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/loki"
)

func lokiAt(tb testing.TB, address, service string) reading.Follower {
	tb.Helper()
	s, err := lokisource.New("loki", address, lokisource.Options{ServiceName: service})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// before puts a handler in front of a server.
func before(tb testing.TB, address string, handle func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	tb.Helper()
	target, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	next := httputil.NewSingleHostReverseProxy(target)
	return fake(tb, func(w http.ResponseWriter, r *http.Request) { handle(w, r, next) })
}

func fake(tb testing.TB, handle http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(handle)
	tb.Cleanup(server.Close)
	return server.URL
}

// span returns the time that a query covers.
func span(tb testing.TB, r *http.Request) time.Duration {
	var at [2]int64
	for i, name := range []string{"start", "end"} {
		var err error
		if at[i], err = strconv.ParseInt(r.FormValue(name), 10, 64); err != nil {
			tb.Error(err)
		}
	}
	return time.Duration(at[1] - at[0])
}

// both returns a source of each kind for the server at address, which sends a secret.
func both(tb testing.TB, address string) []reading.Follower {
	tb.Helper()
	h := promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "ops", Password: "hunter2"}}
	l, err := lokisource.New("loki", address, lokisource.Options{HTTP: h, TenantID: "12", Timeout: 20 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	v, err := vlsource.New("victorialogs", address, vlsource.Options{HTTP: h, TenantID: "12", Timeout: 20 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	return []reading.Follower{l, v}
}

// failure returns the error of a Read that has to fail.
func failure(tb testing.TB, s reading.Source) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for _, err := range s.Read(ctx, &reading.Query{}) {
		if err != nil {
			return err
		}
	}
	tb.Fatal("no error")
	return nil
}

func TestNoAnswerHoldsAReaderUpOrGetsSecrets(t *testing.T) {
	var leaked atomic.Bool
	other := fake(t, func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
	})
	endless := func(start, again string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, err := io.WriteString(w, start)
			for r.Context().Err() == nil && err == nil {
				_, err = io.WriteString(w, again)
			}
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"101":          {func(w http.ResponseWriter, _ *http.Request) { testenv.SwitchesProtocols(t, w) }, "101"},
		"redirect":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) }, "set the URL to where the server is"},
		"endless text": {endless(`{"status":"`, strings.Repeat("x", 1<<16)), ""},
		"endless refusal": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			endless("", strings.Repeat("x", 1<<16))(w, r)
		}, "400"},
		"HTML":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "cannot be read"},
		"other JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"success"}`) }, "cannot be read"},
		"half":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":`) }, "cannot be read"},
		"echo": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, fmt.Sprint(r.URL, r.Header), http.StatusTeapot)
		}, "418"},
		"wrong token": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
		}, "check the tenant and the credentials"},
		"wrong path": {http.NotFound, "check the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range both(t, fake(t, c.handle)+"/hunter2-path") {
				err := failure(t, s)
				text := err.Error()
				if !strings.Contains(text, c.want) || strings.Contains(text, "hunter2") || strings.Contains(text, "b3BzOmh1bnRlcjI") || len(text) > 20_000 {
					t.Errorf("%s: %.500s", s.Name(), text)
				}
				f := follow(t, s, &reading.Query{})
				select {
				case <-f.errs:
				case <-time.After(30 * time.Second):
					t.Errorf("%s: Follow yields no error", s.Name())
				}
			}
		})
	}
	t.Cleanup(func() {
		if leaked.Load() {
			t.Error("the end of a redirect got the credentials")
		}
	})
}

func TestContextEndsAReadThatWaits(t *testing.T) {
	for _, s := range both(t, fake(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		n := 0
		for _, err := range s.Read(ctx, &reading.Query{}) {
			n++
			if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
				t.Errorf("error %v", err)
			}
		}
		cancel()
		if n != 1 {
			t.Errorf("%d results, want one error", n)
		}
	}
}

func TestEachTenantHasEventsOfItsOwn(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{Tenants: true})
	v := testenv.SharedVictoriaLogs(t)
	for i, tenant := range []string{"21", "22:3"} {
		mine := events(5+i, time.Now())
		service := fmt.Sprintf("tenants-%d", i)
		toLoki := open(t, l.URL, loki.Options{TenantID: strings.ReplaceAll(tenant, ":", "-"), ServiceName: service})
		toVL := open(t, v.URL, loki.Options{TenantID: tenant, ServiceName: service, Server: loki.ServerVictoriaLogs, Oldest: century})
		write(t, toLoki, mine...)
		write(t, toVL, mine...)
		if _, err := v.Query(t.Context(), tenant, "*", time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		fromLoki, err := lokisource.New("loki", l.URL, lokisource.Options{TenantID: strings.ReplaceAll(tenant, ":", "-"), ServiceName: service})
		if err != nil {
			t.Fatal(err)
		}
		fromVL, err := vlsource.New("victorialogs", v.URL, vlsource.Options{TenantID: tenant, ServiceName: service})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "loki", read(t, fromLoki, &reading.Query{}), sorted(mine))
		same(t, "victorialogs", read(t, fromVL, &reading.Query{}), sorted(mine))
		if err := failure(t, lokiAt(t, l.URL, service)); !strings.Contains(err.Error(), "check the tenant and the credentials") {
			t.Errorf("without a tenant: %v", err)
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for want, err := range map[string]error{
		"PageSize":       second(lokisource.New("a", "http://a", lokisource.Options{PageSize: 5001})),
		"Overlap":        second(vlsource.New("a", "http://a", vlsource.Options{Overlap: time.Millisecond})),
		"no name":        second(lokisource.New("a", "http://a", lokisource.Options{Labels: map[string]string{`a="b",c`: "d"}})),
		"basic_auth":     second(lokisource.New("a", "http://ops:hunter2@a", lokisource.Options{})),
		"cannot be":      second(vlsource.New("a", "http://hunter2\x00", vlsource.Options{})),
		"numbers":        second(vlsource.New("a", "http://a", vlsource.Options{TenantID: "hunter2"})),
		"redirect":       second(vlsource.New("a", "http://a", vlsource.Options{HTTP: promconfig.HTTPClientConfig{FollowRedirects: true}})),
		"not an http or": second(vlsource.New("a", "a:9428", vlsource.Options{})),
	} {
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, address := range []string{"http://a", "http://a/", "http://a/select/logsql/query"} {
		if _, err := vlsource.New("a", address, vlsource.Options{}); err != nil {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
