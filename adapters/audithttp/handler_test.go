package audithttp_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/adapters/audithttp"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// served returns the facts in the context of a request that was served.
func served(t *testing.T, r *http.Request, o audithttp.Options) auditing.Facts {
	t.Helper()
	var got *auditing.Facts
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = auditing.FactsFrom(r.Context()) })
	audithttp.Handler(next, o).ServeHTTP(httptest.NewRecorder(), r)
	if got == nil {
		t.Fatal("the request has no facts")
	}
	return *got
}

func TestZeroOptionsTakeNothingFromOtherHeaders(t *testing.T) {
	r := httptest.NewRequest(http.MethodPut, "/", http.NoBody)
	r.RemoteAddr = "198.51.100.7:4711"
	r.Header = http.Header{
		"User-Agent": {"curl/8"}, "X-Request-Id": {"1"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Remote-User": {"root"},
	}
	r.SetBasicAuth("alice", "secret")
	want := auditing.Facts{
		Actor:   &v1alpha1.AuditActor{SourceAddress: "198.51.100.7", UserAgent: "curl/8"},
		Request: &v1alpha1.AuditRequest{Verb: "PUT"},
	}
	if got := served(t, r, audithttp.Options{}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %+v", got.Actor, got.Request)
	}
}

func TestOptionsNameTheRequestIDAndTheUser(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("X-Correlation", "abc")
	got := served(t, r, audithttp.Options{
		RequestIDHeader: "x-correlation",
		User: func(*http.Request) (string, []string) {
			return "system:serviceaccount:team-a:ci", []string{"system:serviceaccounts"}
		},
	})
	if got.Request.ID != "abc" {
		t.Errorf("id %q", got.Request.ID)
	}
	if a := got.Actor; a.User != "system:serviceaccount:team-a:ci" || len(a.Groups) != 1 || a.ServiceAccount != "team-a/ci" {
		t.Errorf("actor %+v", a)
	}
}

func TestSourceIsThePeerOrWhatTrustedProxiesSay(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")}
	for name, test := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no header":                       {"10.0.0.1:1", nil, "10.0.0.1"},
		"a peer that is no proxy":         {"198.51.100.7:1", []string{"203.0.113.9"}, "198.51.100.7"},
		"one address":                     {"10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"what a client put before":        {"10.0.0.1:1", []string{"192.0.2.66, 203.0.113.9"}, "203.0.113.9"},
		"garbage that a client put there": {"10.0.0.1:1", []string{"<script>, 203.0.113.9"}, "203.0.113.9"},
		"behind two proxies":              {"10.0.0.1:1", []string{"203.0.113.9, 10.1.1.1,fd00::5"}, "203.0.113.9"},
		"on several lines":                {"10.0.0.1:1", []string{"192.0.2.66", "203.0.113.9", "10.1.1.1"}, "203.0.113.9"},
		"from a proxy itself":             {"10.0.0.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"IPv6":                            {"[fd00::1]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		"a peer with a zone":              {"[fe80::1%eth0]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv4 within IPv6":                {"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"malformed: a name":               {"10.0.0.1:1", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"malformed: an empty entry":       {"10.0.0.1:1", []string{"203.0.113.9,"}, "10.0.0.1"},
		"malformed: an empty header":      {"10.0.0.1:1", []string{""}, "10.0.0.1"},
		"malformed: before a proxy":       {"10.0.0.1:1", []string{"x, 10.1.1.1"}, "10.0.0.1"},
		"malformed: with a port":          {"10.0.0.1:1", []string{"203.0.113.9:80"}, "10.0.0.1"},
		"a Unix socket":                   {"@", []string{"203.0.113.9"}, ""},
		"nothing":                         {"", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = test.peer
			r.Header.Set("User-Agent", "test")
			if test.forwarded != nil {
				r.Header["X-Forwarded-For"] = test.forwarded
			}
			if got := served(t, r, audithttp.Options{TrustedProxies: proxies}).Actor.SourceAddress; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLongHeadersAreShortenedVisibly(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("User-Agent", strings.Repeat("a", 1<<16))
	r.Header.Set("Id", strings.Repeat("b", 1<<16))
	got := served(t, r, audithttp.Options{RequestIDHeader: "Id"})
	if ua := got.Actor.UserAgent; len([]rune(ua)) != v1alpha1.MaxNameLength || !strings.Contains(ua, "65536 bytes") {
		t.Errorf("%d bytes of user agent", len(ua))
	}
	if id := got.Request.ID; len([]rune(id)) != v1alpha1.MaxFactLength || !strings.Contains(id, "65536 bytes") {
		t.Errorf("%d bytes of id", len(id))
	}
}

func TestARealServersRequestHasItsPeersAddress(t *testing.T) {
	facts := make(chan *auditing.Facts, 1)
	server := httptest.NewServer(audithttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		facts <- auditing.FactsFrom(r.Context())
	}), audithttp.Options{}))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := <-facts; got.Actor.SourceAddress != "127.0.0.1" || got.Actor.UserAgent != "Go-http-client/1.1" || got.Request.Verb != "GET" {
		t.Errorf("%+v %+v", got.Actor, got.Request)
	}
}
