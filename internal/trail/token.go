package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TokenLeeway is by how much the clocks of a component and of its API server may differ.
const TokenLeeway = 5 * time.Minute

// TokenAudience is the one audience of a token that vouches for the key of a trail. The key's name is
// the trail's origin, so that it binds both. No server accepts a token of this audience.
func TokenAudience(key string) string {
	sum := sha256.Sum256([]byte(key))
	return certificatePrefix + "/" + hex.EncodeToString(sum[:])
}

// IsToken reports whether a certificate is a token, and not a signed note, which has several lines.
func IsToken(certificate string) bool { return !strings.Contains(certificate, "\n") }

// Claims are what a token of a service account says.
type Claims struct {
	Issuer   string
	Audience []string
	// ServiceAccount is "namespace/name".
	ServiceAccount string
	// Pod that the token is bound to; "" for none.
	Pod string
	// Issued, and where the token has it NotBefore, are its beginning, and Expires is its end.
	Issued, NotBefore, Expires time.Time
}

// subjectPrefix begins the name of a service account as a user.
const subjectPrefix = "system:serviceaccount:"

// ServiceAccountOf returns "namespace/name" of a user that is a service account; "" for another one.
func ServiceAccountOf(user string) string {
	rest, ok := strings.CutPrefix(user, subjectPrefix)
	namespace, name, both := strings.Cut(rest, ":")
	if !ok || !both || namespace == "" || name == "" || strings.ContainsAny(rest, "/ ") || strings.Contains(name, ":") {
		return ""
	}
	return namespace + "/" + name
}

// ParseClaims parses the payload of a token of a service account. Its errors do not quote it.
func ParseClaims(payload []byte) (Claims, error) {
	var raw struct {
		Issuer     string   `json:"iss"`
		Subject    string   `json:"sub"`
		Audience   audience `json:"aud"`
		Expires    int64    `json:"exp"`
		NotBefore  int64    `json:"nbf"`
		Issued     int64    `json:"iat"`
		Kubernetes struct {
			Pod struct {
				Name string `json:"name"`
			} `json:"pod"`
		} `json:"kubernetes.io"`
	}
	if err := json.Unmarshal(payload, &raw); err != nil {
		return Claims{}, errors.New("its claims are not those of a token")
	}
	c := Claims{
		Issuer: raw.Issuer, Audience: raw.Audience, ServiceAccount: ServiceAccountOf(raw.Subject), Pod: raw.Kubernetes.Pod.Name,
		Issued: time.Unix(raw.Issued, 0), Expires: time.Unix(raw.Expires, 0),
	}
	if raw.NotBefore != 0 {
		c.NotBefore = time.Unix(raw.NotBefore, 0)
	}
	switch {
	case raw.Issued <= 0 || raw.Expires <= raw.Issued:
		return Claims{}, errors.New("it does not say from when to when it holds")
	case c.ServiceAccount == "":
		return Claims{}, errors.New("its subject is no service account")
	}
	return c, nil
}

// From returns when the token begins.
func (c *Claims) From() time.Time {
	if c.NotBefore.After(c.Issued) {
		return c.NotBefore
	}
	return c.Issued
}

// For refuses a token that is for anything else than the key, or for more than that.
func (c *Claims) For(key string) error {
	switch {
	case len(c.Audience) != 1:
		return fmt.Errorf("it has %d audiences: the key of the trail has to be the only one", len(c.Audience))
	case c.Audience[0] != TokenAudience(key):
		return errors.New("its audience is another than the key of the trail")
	}
	return nil
}

// audience is one text or several.
type audience []string

// UnmarshalJSON parses both forms.
func (a *audience) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("[")) {
		*a = make(audience, 1)
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}
