package loki_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/sinks/loki"
)

func TestNewRefusesToFollowRedirects(t *testing.T) {
	t.Parallel()
	page := fake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	address := fake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, page, http.StatusFound) })
	sink, err := loki.New(address, loki.Options{ProveEvery: -1, HTTP: promconfig.HTTPClientConfig{FollowRedirects: true}})
	if err != nil {
		contains(t, err.Error(), "HTTP.FollowRedirects", "another host")
		return
	}
	t.Errorf("New takes it, and a write to a page that answers 204 says %v", sink.Write(shortly(t), event(namespace(), "x")))
}

func TestRedirectedPushIsNotStoredAndGoesNowhere(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	page := fake(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		elsewhere.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		gateway := httptest.NewServer(http.RedirectHandler(page, status))
		t.Cleanup(gateway.Close)
		sink := open(t, gateway.URL, loki.Options{ProveEvery: -1, TenantID: "team-a"})
		err := sink.Write(shortly(t), event(namespace(), "x"))
		if err == nil {
			t.Fatalf("%d: stored", status)
		}
		contains(t, err.Error(), "use the URL that it redirects to")
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("the other host got %d requests", n)
	}
}

func TestRedirectedTokenRequestKeepsTheSecret(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("client_secret") != "" {
			elsewhere.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "x", "token_type": "bearer"}`)
	})
	tokens := httptest.NewServer(http.RedirectHandler(other, http.StatusTemporaryRedirect))
	t.Cleanup(tokens.Close)
	refusing := fake(t, func(w http.ResponseWriter, r *http.Request) { // it refuses Authorization, so that the secret is sent in the form
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, other, http.StatusTemporaryRedirect)
	})
	for _, address := range []string{tokens.URL, refusing} {
		sink := open(t, fake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), loki.Options{
			ProveEvery: -1,
			HTTP:       promconfig.HTTPClientConfig{OAuth2: &promconfig.OAuth2{ClientID: "a", ClientSecret: "hunter2", TokenURL: address}},
		})
		err := sink.Write(shortly(t), event(namespace(), "x"))
		if err == nil {
			t.Error("the token of another host is taken")
			continue
		}
		contains(t, err.Error(), "token_url")
	}
	if n := elsewhere.Load(); n > 0 {
		t.Errorf("the other host got the secret %d times", n)
	}
}
