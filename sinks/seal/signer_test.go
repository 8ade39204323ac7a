package seal_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// signers returns a key of each type that may vouch.
func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return map[string]crypto.Signer{"ed25519": ed, "ecdsa": ec}
}

func TestSignerKeyVouchesForATrail(t *testing.T) {
	for name, key := range signers(t) {
		authority, public, err := seal.SignerKey("prod/kms-"+name, key)
		must(t, err)
		trust, err := verify.ParseTrust(fmt.Appendf(nil, "keys: [{name: kms, key: %q, components: [proxy]}]", public))
		must(t, err)
		next := &sinktest.Recorder{}
		s := sealed(t, next, seal.Options{Component: "proxy", Authority: authority})
		must(t, s.Write(t.Context(), denial(0)))
		must(t, s.Close(within(t, 10*time.Second)))
		r := (&auditor{trust: trust}).mustBeIntact(t, stored{"a", next.Events()})
		if r.Trails[0].VouchedBy != "kms" {
			t.Errorf("%s: vouched for by %q", name, r.Trails[0].VouchedBy)
		}
	}
}

// faulty is a key whose service answers as sign says.
type faulty struct {
	crypto.Signer

	sign func(digest []byte) ([]byte, error)
}

func (f faulty) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return f.sign(digest)
}

func TestSignerKeyReportsABadService(t *testing.T) {
	for name, key := range signers(t) {
		for want, sign := range map[string]func([]byte) ([]byte, error){
			"throttled":                  func([]byte) ([]byte, error) { return nil, errors.New("throttled") },
			"not one of its public half": func(d []byte) ([]byte, error) { return d, nil },
		} {
			authority, _, err := seal.SignerKey("prod/kms", faulty{key, sign})
			must(t, err)
			_, _, err = authority.Certify(context.Background(), "key", time.Now(), time.Now().Add(time.Hour))
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "prod/kms") {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

func TestSignerKeyRefusesOtherKeys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	for want, key := range map[string]crypto.Signer{"*rsa.PublicKey cannot vouch": weak, "P-256": other, "is nil": nil} {
		if _, _, err := seal.SignerKey("prod/kms", key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, key := range signers(t) {
		for _, name := range []string{"", "a b", "a+b"} {
			if _, _, err := seal.SignerKey(name, key); err == nil {
				t.Errorf("the name %q is taken", name)
			}
		}
	}
}

func TestKeyOfAClosedTrailIsErased(t *testing.T) {
	s := sealed(t, &sinktest.Recorder{}, seal.Options{})
	must(t, s.Write(t.Context(), denial(0)))
	key := s.Key()
	if len(key) == 0 || slices.Max(key) == 0 {
		t.Fatal("there is no key while the trail is open")
	}
	must(t, s.Close(within(t, 10*time.Second)))
	if slices.Max(key) != 0 {
		t.Error("the trail is closed, and its key is in memory")
	}
}
