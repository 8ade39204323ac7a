package verify

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/paddock-dev/audit/internal/trail"
)

// Issuer is a cluster whose tokens of service accounts certify the keys of trails.
type Issuer struct {
	// Name stands in reports. No two keys and issuers have the same.
	Name string `yaml:"name"`
	// Issuer is who the tokens say has issued them: --service-account-issuer of the API server.
	Issuer string `yaml:"issuer"`
	// Cluster is the one whose components the service accounts may speak for.
	Cluster string `yaml:"cluster"`
	// ServiceAccounts that may speak for components. Others vouch for nothing.
	ServiceAccounts []ServiceAccount `yaml:"serviceAccounts"`
	// NotBefore and NotAfter bound the times of the checkpoints that tokens vouch for. Zero
	// for no bound.
	NotBefore time.Time `yaml:"notBefore,omitempty"`
	NotAfter  time.Time `yaml:"notAfter,omitempty"`
	// JWKS has the public keys that sign the tokens.
	JWKS JWKS `yaml:"jwks"`

	keys []jose.JSONWebKey
}

// ServiceAccount is one that may speak for components.
type ServiceAccount struct {
	// Name is "namespace/name".
	Name string `yaml:"name"`
	// Components that it may speak for; "*" for all of the cluster.
	Components []string `yaml:"components"`
}

// JWKS is a set of public keys (RFC 7517), as an API server has it under /openid/v1/jwks.
type JWKS struct {
	Keys []map[string]any `yaml:"keys" json:"keys"`
}

// minRSA is the size of the smallest RSA key that is believed, in bits (RFC 7518, section 3.3).
const minRSA = 2048

// tokenAlgorithms are those of tokens that are believed. "none" and those with a shared secret are not.
var tokenAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

func (i *Issuer) check() error {
	switch {
	case i.Name == "":
		return errors.New("name is missing")
	case i.Issuer == "":
		return errors.New("issuer is missing: want what the API server has as --service-account-issuer")
	case i.Cluster == "":
		return errors.New("cluster is missing: want the one whose components the service accounts speak for")
	case len(i.ServiceAccounts) == 0:
		return errors.New("serviceAccounts is missing: want those that may speak for components")
	case !i.NotAfter.IsZero() && !i.NotBefore.Before(i.NotAfter):
		return errors.New("notBefore is not before notAfter")
	case len(i.JWKS.Keys) == 0:
		return errors.New("jwks.keys is missing: want the public keys that auditctl keys jwks prints")
	}
	for n, a := range i.ServiceAccounts {
		namespace, name, _ := strings.Cut(a.Name, "/")
		switch {
		case namespace == "" || name == "" || strings.Contains(name, "/"):
			return fmt.Errorf("serviceAccounts[%d]: name: want namespace/name", n)
		case len(a.Components) == 0:
			return fmt.Errorf(`serviceAccounts[%d]: components is missing: want those that it may speak for, or ["*"]`, n)
		case slices.ContainsFunc(i.ServiceAccounts[:n], func(o ServiceAccount) bool { return o.Name == a.Name }):
			return fmt.Errorf("serviceAccounts[%d]: %q is there already", n, a.Name)
		}
	}
	i.keys = make([]jose.JSONWebKey, len(i.JWKS.Keys))
	for n, key := range i.JWKS.Keys {
		if err := parseJWK(key, &i.keys[n]); err != nil {
			return fmt.Errorf("jwks.keys[%d]: %w", n, err)
		}
	}
	return nil
}

// parseJWK parses a public key that may sign tokens. Its errors do not quote it.
func parseJWK(raw map[string]any, key *jose.JSONWebKey) error {
	text, err := json.Marshal(raw)
	if err == nil {
		err = key.UnmarshalJSON(text)
	}
	if err != nil {
		return errors.New("want a public RSA or EC key in the form of RFC 7517")
	}
	if key.Use != "" && key.Use != "sig" {
		return fmt.Errorf("use is %q: want a key for signatures, sig", key.Use)
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return fmt.Errorf("an RSA key of %d bits is too weak: want %d at least", public.N.BitLen(), minRSA)
		}
	case *ecdsa.PublicKey:
	default:
		return errors.New("is not the public half of an RSA or EC key: tokens that are signed in another way are not believed")
	}
	return nil
}

// speaksFor reports whether the service account may certify keys of the component.
func (i *Issuer) speaksFor(account, cluster, component string) bool {
	return i.Cluster == cluster && slices.ContainsFunc(i.ServiceAccounts, func(a ServiceAccount) bool {
		return a.Name == account && (slices.Contains(a.Components, "*") || slices.Contains(a.Components, component))
	})
}

// openToken returns what a token says, and the issuer of the trust that signed it. Its error says why
// nobody did.
func (t *Trust) openToken(token string) (trail.Claims, *Issuer, error) {
	signed, err := jose.ParseSignedCompact(token, tokenAlgorithms)
	if err != nil {
		return trail.Claims{}, nil, errors.New("the certificate is no token that is signed with RS256, ES256 or their like")
	}
	err = errors.New("the certificate is a token that no issuer of the trust signed")
	header := signed.Signatures[0].Protected
	for n := range t.Issuers {
		i := &t.Issuers[n]
		for k := range i.keys {
			key := &i.keys[k]
			if header.KeyID != "" && key.KeyID != "" && header.KeyID != key.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
				continue
			}
			payload, wrong := signed.Verify(key.Key)
			if wrong != nil {
				continue
			}
			claims, wrong := trail.ParseClaims(payload)
			switch {
			case wrong != nil:
				err = fmt.Errorf("the certificate is a token of %q, and %w", i.Name, wrong)
			case claims.Issuer != i.Issuer:
				err = fmt.Errorf("the certificate is a token that a key of %q signed, and it names another issuer", i.Name)
			default:
				return claims, i, nil
			}
		}
	}
	return trail.Claims{}, nil, err
}
