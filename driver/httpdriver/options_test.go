package httpdriver_test

import (
	"net/http"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/driver/httpdriver"
)

func TestNewNamesEveryOptionThatIsWrong(t *testing.T) {
	t.Parallel()
	opts := httpdriver.Options{
		Name: "ledger", Timeout: -1, RefusalGrace: 1e6 * time.Hour, TenantID: "a\nb", MaxBody: -1,
		Header: http.Header{"X-Key": {"hunter2\r\nX-Other: x"}},
		HTTP: promconfig.HTTPClientConfig{
			BasicAuth: &promconfig.BasicAuth{Username: "u", Password: "hunter2"}, BearerToken: "hunter2", FollowRedirects: true,
		},
	}
	_, err := httpdriver.New("ftp://server", opts)
	contains(t, err, "ledger: invalid options: the URL", "Options.Timeout", "Options.RefusalGrace", "Options.TenantID", "Options.MaxBody",
		"Options.Header: X-Key", "basic_auth", "Options.HTTP.FollowRedirects")
	lacks(t, err, "hunter2")
	contains(t, opts.Validate(), "Options.Timeout", "Options.Header")
	for name, want := range map[string]string{"a b": "no name of a header", "": "no name of a header", "host": "cannot be set", "Content-length": "cannot be set"} {
		contains(t, httpdriver.Options{Header: http.Header{name: {"x"}}}.Validate(), want)
	}
	if err := (httpdriver.Options{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesAnAddressWithAPasswordAndHidesIt(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://ops:hunter2@server", "http://hunter2@server", "http://server#hunter2", "http://ops:hunter2@ser ver", "hunter2://server", "", "server:80",
	} {
		_, err := httpdriver.New(address, httpdriver.Options{})
		if err == nil {
			t.Errorf("New takes %q", address)
			continue
		}
		contains(t, err, "http: invalid options: the URL")
		lacks(t, err, "hunter2")
	}
}

func TestNewSaysWhichFileIsMissing(t *testing.T) {
	t.Parallel()
	_, err := httpdriver.New("https://server", httpdriver.Options{Name: "ledger", HTTP: promconfig.HTTPClientConfig{
		TLSConfig: promconfig.TLSConfig{CAFile: "no-such-file"},
	}})
	contains(t, err, "ledger: HTTP: ", "no-such-file")
}
