package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/driver"
)

// The headers of Standard Webhooks, as net/http spells them.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Bounds of a key in bytes, by Standard Webhooks.
const (
	secretPrefix = "whsec_"
	shortestKey  = 24
	longestKey   = 64
)

var errSecret = fmt.Errorf("is no secret of Standard Webhooks: want %s and the base64 of %d to %d random bytes", secretPrefix, shortestKey, longestKey)

// parseSecret returns the key in a secret. The error quotes nothing of it.
func parseSecret(secret string) ([]byte, error) {
	text, found := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !found || err != nil || len(key) < shortestKey || len(key) > longestKey {
		return nil, errSecret
	}
	return key, nil
}

// signer signs requests with the keys of Options. It is safe for concurrent use.
type signer struct {
	inline [][]byte
	file   string // read for each request; "" for none
}

func newSigner(secrets []promconfig.Secret, file string) (*signer, error) {
	s := &signer{file: file}
	for i, secret := range secrets {
		key, err := parseSecret(string(secret))
		if err != nil {
			return nil, fmt.Errorf("secret %d %w", i+1, err)
		}
		s.inline = append(s.inline, key)
	}
	return s, nil
}

// keys returns the keys that are in use now; none when requests are not signed.
func (s *signer) keys() ([][]byte, error) {
	if s.file == "" {
		return s.inline, nil
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, fmt.Errorf("reading the secrets that sign requests (secrets_file): %w", err)
	}
	var keys [][]byte
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := parseSecret(line)
		if err != nil {
			return nil, fmt.Errorf("line %d of %s (secrets_file) %w", i+1, s.file, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s (secrets_file) holds no secret: %w", s.file, errNoSecret)
	}
	return keys, nil
}

var errNoSecret = errors.New("requests without a signature would look like those of anybody")

// sign sets the headers of Standard Webhooks for a request with this body. Without keys, it
// sets all but the signature.
func (s *signer) sign(h http.Header, id string, now time.Time, body []byte) error {
	keys, err := s.keys()
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	h[headerID], h[headerTimestamp] = []string{id}, []string{timestamp}
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = signature(key, id, timestamp, body)
	}
	if len(signatures) > 0 {
		h[headerSignature] = []string{strings.Join(signatures, " ")}
	}
	return nil
}

// signature returns one signature of a request.
func signature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// idOf returns the webhook-id of a request with these events. It is the same each time that
// the same events are sent together. The names of an event have no full stop, as Standard
// Webhooks requires of an id, unless a program has chosen them.
func idOf(events []*driver.Event) string {
	if ref := events[0].Ref(); len(events) == 1 && !strings.Contains(ref, ".") {
		return ref
	}
	names := sha256.New()
	for _, e := range events {
		names.Write([]byte(e.Ref() + "\n"))
	}
	return "sha256-" + hex.EncodeToString(names.Sum(nil))
}
