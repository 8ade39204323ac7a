package trail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/internal/trail"
)

func TestECDSAKeyHasOneSpelling(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := trail.NewECDSAKey("prod/kms", &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := trail.NewVerifier(public)
	if err != nil || v.Name() != "prod/kms" {
		t.Fatalf("%v, %v", v, err)
	}
	sum := sha256.Sum256([]byte("a\n"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	if !v.Verify([]byte("a\n"), signature) || v.Verify([]byte("b\n"), signature) || v.Verify([]byte("a\n"), signature[1:]) {
		t.Error("signatures are not told apart")
	}
	name, rest, _ := strings.Cut(public, "+")
	hash, data, _ := strings.Cut(rest, "+")
	for _, spoilt := range []string{
		name + "+00000000+" + data, name + "+" + strings.ToUpper(hash) + "x+" + data, name + "+" + hash + "+" + data[:20], name + "+" + hash + "+Ag==",
		"+" + hash + "+" + data, "a b+" + hash + "+" + data, "a+" + data, "", "+", "++",
	} {
		if _, err := trail.NewVerifier(spoilt); err == nil {
			t.Errorf("%q passes as a key", spoilt)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trail.NewECDSAKey("a", &other.PublicKey); err == nil {
		t.Error("a key on P-384 is taken")
	}
	_, ed, err := note.GenerateKey(rand.Reader, "prod/ed")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := trail.NewVerifier(ed); err != nil || v.Name() != "prod/ed" {
		t.Errorf("an Ed25519 key: %v, %v", v, err)
	}
}
