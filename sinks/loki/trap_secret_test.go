package loki_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/sinks/loki"
)

// echo answers with the headers of the request, quoted in several ways.
func echo(t *testing.T, status int) string {
	return fake(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s | %q %q | %s %s", r.URL, user, password, user, password)
		for name, values := range r.Header {
			fmt.Fprintf(w, "| %s: %s %q", name, values, values)
		}
	})
}

func TestServerThatEchoesCannotRevealSecrets(t *testing.T) {
	t.Parallel()
	const secret = `hunter2"&<wo>rd/+=`
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	header := func(h promconfig.Header) *promconfig.Headers {
		return &promconfig.Headers{Headers: map[string]promconfig.Header{"X-Api-Key": h}}
	}
	tokens := echo(t, http.StatusUnauthorized)
	bodies := fake(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_ = r.ParseForm()
		fmt.Fprint(w, r.Form)
	})
	for name, c := range map[string]promconfig.HTTPClientConfig{
		"password_file":            {BasicAuth: &promconfig.BasicAuth{Username: "ops", PasswordFile: file}},
		"password":                 {BasicAuth: &promconfig.BasicAuth{Username: "ops", Password: secret}},
		"credentials_file":         {Authorization: &promconfig.Authorization{CredentialsFile: file}},
		"credentials_file, scheme": {Authorization: &promconfig.Authorization{Type: "Token", CredentialsFile: file}},
		"bearer_token_file":        {BearerTokenFile: file},
		"header file":              {HTTPHeaders: header(promconfig.Header{Files: []string{file}})},
		"header value":             {HTTPHeaders: header(promconfig.Header{Values: []string{secret}})},
		"header secret":            {HTTPHeaders: header(promconfig.Header{Secrets: []promconfig.Secret{secret}})},
		"client_secret_file":       {OAuth2: &promconfig.OAuth2{ClientID: "a", ClientSecretFile: file, TokenURL: tokens}},
		"client_secret_file, body": {OAuth2: &promconfig.OAuth2{ClientID: "a", ClientSecretFile: file, TokenURL: bodies}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{401, 400, 500, 200} {
				for _, server := range []loki.Server{loki.ServerLoki, loki.ServerVictoriaLogs} {
					sink := open(t, echo(t, status)+"/"+url.PathEscape(secret), loki.Options{ProveEvery: -1, HTTP: c, Server: server})
					err := errors.Join(sink.Write(shortly(t), event(namespace(), "x")), sink.Check(shortly(t)))
					if err == nil {
						t.Fatal("stored")
					}
					// The others are the secret, ops:hunter2 and a:hunter2 in base64.
					contains(t, err.Error(), "/…/", "/loki/api/v1/push")
					lacks(t, err.Error(), "hunter2", "aHVudGVyM", "b3BzOmh1bnRlcjI", "YTpodW50ZXIy")
				}
			}
		})
	}
}

func TestLongAnswerCutInsideSecretHidesIt(t *testing.T) {
	t.Parallel()
	const maxText, secret = 8 << 10, "hunter2-and-more"
	for part := 1; part < len(secret); part += 3 {
		address := fake(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, strings.Repeat("x", maxText-part)+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		})
		sink := open(t, address, loki.Options{ProveEvery: -1, HTTP: promconfig.HTTPClientConfig{BearerToken: secret}})
		err := sink.Write(shortly(t), event(namespace(), "x"))
		if part > 3 {
			lacks(t, err.Error(), secret[:part])
		}
	}
}

func TestShortHeaderDoesNotSpoilTheAnswerOfLoki(t *testing.T) {
	t.Parallel()
	sink := open(t, permissive.get(t).URL, loki.Options{HTTP: promconfig.HTTPClientConfig{
		HTTPHeaders: &promconfig.Headers{Headers: map[string]promconfig.Header{"X-Team": {Values: []string{"t", "2", "oldest"}}}},
	}})
	if err := sink.Check(shortly(t)); err != nil {
		t.Error(err)
	}
	mustWriteAll(t, sink, eventAt(namespace(), "x", time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func TestProxyThatEchoesCannotRevealItsPassword(t *testing.T) {
	t.Parallel()
	proxy := fake(t, func(w http.ResponseWriter, r *http.Request) { // the request is a CONNECT or a POST
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 407 hunter2 %s\r\n\r\nhunter2 %[1]s", r.Header.Get("Proxy-Authorization"))
	})
	at, err := url.Parse(strings.Replace(proxy, "http://", "http://ops:hunter2@", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"http://loki.invalid:3100", "https://loki.invalid:3100"} {
		sink := open(t, address, loki.Options{ProveEvery: -1, HTTP: promconfig.HTTPClientConfig{
			ProxyConfig: promconfig.ProxyConfig{ProxyURL: promconfig.URL{URL: at}},
		}})
		err := sink.Write(shortly(t), event(namespace(), "x"))
		if err == nil {
			t.Fatal("stored")
		}
		lacks(t, err.Error(), "hunter2", "b3BzOmh1bnRlcjI")
	}
}
