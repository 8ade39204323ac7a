package httpdriver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/driver/httpdriver"
)

func TestServerThatRepeatsSecretsRevealsNone(t *testing.T) {
	t.Parallel()
	const secret = `hunter2"&<wo>rd/+=`
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	echo := func(status int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			user, password, _ := r.BasicAuth()
			fmt.Fprintf(w, "%s %q %q | %s | %s", r.URL, user, password, password, r.URL.Query())
			for name, values := range r.Header {
				fmt.Fprintf(w, "| %s: %s %q", name, values, values)
			}
		})
	}
	for name, opts := range map[string]httpdriver.Options{
		"password":         {HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "ops", Password: secret}}},
		"password_file":    {HTTP: promconfig.HTTPClientConfig{BasicAuth: &promconfig.BasicAuth{Username: "ops", PasswordFile: file}}},
		"bearer":           {HTTP: promconfig.HTTPClientConfig{BearerToken: secret}},
		"credentials_file": {HTTP: promconfig.HTTPClientConfig{Authorization: &promconfig.Authorization{Type: "Token", CredentialsFile: file}}},
		"Header":           {Header: http.Header{"X-Api-Key": {secret}}},
		"address":          {PublicPaths: []string{"/in"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{202, 302, 400, 401, 500} {
				for _, body := range []int{0, 1 << 16} {
					opts := opts
					opts.MaxBody = body
					c := open(t, echo(status)+"/"+url.PathEscape(secret)+"/in?key="+url.QueryEscape(secret), opts)
					a := c.Post(shortly(t), nil, http.Header{"X-Signature": {secret}})
					if a.Err == nil {
						t.Fatal("stored")
					}
					for _, err := range []error{a.Err, c.Get(shortly(t), "?key="+url.QueryEscape(secret), body).Err} {
						lacks(t, err, "hunter2", "aHVudGVyM", "b3BzOmh1bnRlcjI") // the others are hunter2 and ops:hunter2 in base64
					}
				}
			}
		})
	}
}

func TestAnswerCutInsideASecretHidesIt(t *testing.T) {
	t.Parallel()
	const maxText, secret = 8 << 10, "hunter2-and-more"
	for _, breaks := range []bool{true, false} {
		for part := 4; part < len(secret); part += 3 {
			c := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				if breaks { // the connection does
					w.Header().Set("Content-Length", "100")
					text = text[:part]
				} else {
					text = strings.Repeat("x", maxText-part) + text
				}
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, text)
			}), httpdriver.Options{HTTP: promconfig.HTTPClientConfig{BearerToken: secret}})
			a := post(t, c)
			if a.Status != http.StatusBadRequest {
				t.Fatal(a.Err)
			}
			lacks(t, a.Err, secret[:part])
		}
	}
}

func TestProxyThatRepeatsItsPasswordRevealsNothing(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { // the request is a CONNECT or a POST
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
	for _, address := range []string{"http://server.invalid", "https://server.invalid"} {
		a := post(t, open(t, address, httpdriver.Options{HTTP: promconfig.HTTPClientConfig{
			ProxyConfig: promconfig.ProxyConfig{ProxyURL: promconfig.URL{URL: at}},
		}}))
		if a.Err == nil {
			t.Fatal("stored")
		}
		lacks(t, a.Err, "hunter2", "b3BzOmh1bnRlcjI")
	}
}

func TestNoErrorShowsThePathOrQueryOfTheAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{answering(t, 404, "no"), "http://server.invalid"} {
		for _, path := range []string{"/hunter2", "/hunter2/in", "/in/hunter2"} {
			c := open(t, address+path+"?sig=hunter2-hunter2", httpdriver.Options{})
			for _, err := range []error{post(t, c).Err, c.Get(shortly(t), "/hunter2/x", 0).Err, c.Probe(shortly(t))} {
				contains(t, err, " "+address+"/…")
				lacks(t, err, "hunter2", "sig")
			}
		}
		public := httpdriver.Options{PublicPaths: []string{"/in"}}
		contains(t, post(t, open(t, address+"/in", public)).Err, "POST "+address+"/in")
		contains(t, post(t, open(t, address+"/hunter2/in", public)).Err, "POST "+address+"/…/in")
	}
}

func TestShownHidesWhatWasSent(t *testing.T) {
	t.Parallel()
	c := open(t, answering(t, 200, ""), httpdriver.Options{HTTP: promconfig.HTTPClientConfig{BearerToken: "hunter2"}})
	if a := post(t, c); a.Err != nil {
		t.Fatal(a.Err)
	}
	if got := c.Shown("1 of 2 rejected for hunter2\x1b"); got != `1 of 2 rejected for <secret>\u001b` {
		t.Errorf("%q", got)
	}
}
