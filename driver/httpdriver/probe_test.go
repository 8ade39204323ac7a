package httpdriver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/paddock-dev/audit/driver/httpdriver"
)

func TestProbeTakesAnswerOfServerThatIsThere(t *testing.T) {
	t.Parallel()
	for status, there := range map[int]bool{
		200: true, 204: true, 400: true, 405: true, 429: true, 501: true,
		302: false, 401: false, 403: false, 404: false, 410: false, 500: false, 503: false,
	} {
		var method string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			method = r.Method
			w.WriteHeader(status)
		}))
		c, err := httpdriver.New(server.URL, httpdriver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Probe(t.Context()); (err == nil) != there || method != http.MethodOptions {
			t.Errorf("%d to %s: %v", status, method, err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if there && c.Probe(t.Context()) == nil {
			t.Errorf("%d: Probe asks after Close", status)
		}
		server.Close()
	}
}
