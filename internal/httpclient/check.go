package httpclient

import (
	"errors"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/internal/options"
)

// Check returns an error that joins all that is wrong with an option HTTP of this type. It
// quotes no secret.
func Check(h promconfig.HTTPClientConfig) error {
	var errs []error
	wrong := func(name, key string, err error) {
		if err != nil {
			errs = append(errs, &options.Error{Name: "HTTP" + name, Key: "http" + key, Err: err})
		}
	}
	wrong("", "", h.Validate())
	wrong(".TLSConfig", ".tls_config", h.TLSConfig.Validate())
	if h.FollowRedirects {
		wrong(".FollowRedirects", ".follow_redirects",
			errors.New("is true: set it to false, for another host would answer, and would get the tenant and the headers"))
	}
	if h.OAuth2 != nil && h.OAuth2.TokenURL != "" { // Validate has named one that is missing
		_, err := addressOf(h.OAuth2.TokenURL)
		wrong(".OAuth2.TokenURL", ".oauth2.token_url", err)
	}
	return errors.Join(errs...)
}
