package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/driver"
)

// The vector that the reference implementations of Standard Webhooks test themselves with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

// secretOf returns a secret whose key is n times this byte.
func secretOf(b byte, n int) string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), n)))
}

func TestSignatureIsThatOfPublishedVector(t *testing.T) {
	s, err := newSigner([]promconfig.Secret{vectorSecret}, "")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	if err := s.sign(h, vectorID, time.Unix(vectorTime, 999), []byte(vectorBody)); err != nil {
		t.Fatal(err)
	}
	if got := h.Get("webhook-signature"); got != vectorSignature {
		t.Errorf("signature is %s, want %s", got, vectorSignature)
	}
	if id, at := h.Get("webhook-id"), h.Get("webhook-timestamp"); id != vectorID || at != fmt.Sprint(vectorTime) {
		t.Errorf("id %q, timestamp %q", id, at)
	}
}

func TestEachSecretOfFileSignsAndChangesAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets")
	s, err := newSigner(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	signed := func() (string, error) {
		h := http.Header{}
		err := s.sign(h, vectorID, time.Unix(vectorTime, 0), []byte(vectorBody))
		return h.Get("webhook-signature"), err
	}
	if _, err := signed(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that is missing: %v", err)
	}
	other := secretOf('x', 24)
	key, err := parseSecret(other)
	if err != nil {
		t.Fatal(err)
	}
	second := signature(key, vectorID, fmt.Sprint(vectorTime), []byte(vectorBody))
	for text, want := range map[string]string{
		vectorSecret:                            vectorSignature,
		vectorSecret + "\r\n\n" + other + " \n": vectorSignature + " " + second,
		other:                                   second,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := signed(); got != want || err != nil {
			t.Errorf("%q signs %q (%v), want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "\n \n", vectorSecret + "\nwhsec_hunter2"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := signed()
		if got != "" || err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), file) {
			t.Errorf("%q signs %q: %v", text, got, err)
		}
	}
}

func TestSecretOfWrongFormIsRefusedUnquoted(t *testing.T) {
	for _, secret := range []string{
		"", "hunter2", "whsec_", "whsec_hunter2!", strings.TrimPrefix(vectorSecret, secretPrefix), secretOf('h', 23), secretOf('h', 65), "whpk_" + vectorSecret,
	} {
		_, err := parseSecret(secret)
		if err == nil || secret != "" && strings.Contains(err.Error(), strings.TrimPrefix(secret, secretPrefix)) && secret != secretPrefix {
			t.Errorf("%q: %v", secret, err)
		}
	}
	for _, n := range []int{24, 64} {
		if _, err := parseSecret(secretOf('h', n)); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestIDNamesEventsWithoutFullStop(t *testing.T) {
	one, two, dotted := prepared(t, "ae-1", "r"), prepared(t, "ae-2", "r"), prepared(t, "ae.1", "r")
	seen := map[string]string{}
	for name, events := range map[string][]*driver.Event{
		"one": {one}, "two": {two}, "dotted": {dotted}, "both": {one, two}, "turned": {two, one},
	} {
		id := idOf(events)
		if strings.Contains(id, ".") || id != idOf(events) || percentEncoded(id) != id {
			t.Errorf("%s: %q", name, id)
		}
		if other, found := seen[id]; found {
			t.Errorf("%s and %s have the id %s", name, other, id)
		}
		seen[id] = name
	}
	if got := idOf([]*driver.Event{one}); got != "team-a/ae-1" {
		t.Errorf("id is %q", got)
	}
}
