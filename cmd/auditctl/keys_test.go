package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

func TestKeysNewStoresThePrivateHalfAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.key")
	code, out, errOut := auditctl(t, "keys", "new", "--name", "prod/broker", "--out", path)
	if code != 0 || !strings.Contains(errOut, path) {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v, %v; want 0600", info.Mode(), err)
	}
	private, public := strings.TrimSuffix(string(data), "\n"), strings.TrimSuffix(out, "\n")
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal("the file holds no private key")
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatalf("%q is no public key: %v", public, err)
	}
	signed, err := note.Sign(&note.Note{Text: "x\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil || verifier.Name() != "prod/broker" {
		t.Errorf("the halves differ: %v; name %s", err, verifier.Name())
	}
	if strings.Contains(out+errOut, "PRIVATE") || strings.Contains(out+errOut, private[len(private)-20:]) {
		t.Error("the private half is printed")
	}
	code, out, errOut = auditctl(t, "keys", "new", "--name", "prod/broker", "--out", path)
	if again, err := os.ReadFile(path); code != wrong || out != "" || !strings.Contains(errOut, "exists, and a key is never replaced") || !bytes.Equal(again, data) {
		t.Errorf("a file that exists: %d %s%s, %v", code, out, errOut, err)
	}
}

func TestKeysNewNamesTheFileAfterTheKey(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, _, errOut := auditctl(t, "keys", "new", "--name", "prod/broker"); code != 0 {
		t.Fatal(errOut)
	}
	if _, err := os.Stat("prod-broker.key"); err != nil {
		t.Error(err)
	}
}

func TestKeysTrustPrintsWhatVerifyReads(t *testing.T) {
	dir := t.TempDir()
	key, pub := filepath.Join(dir, "a.key"), filepath.Join(dir, "b.pub")
	_, public, _ := auditctl(t, "keys", "new", "--name", "prod/a", "--out", key)
	_, other, _ := auditctl(t, "keys", "new", "--name", "prod/b", "--out", filepath.Join(dir, "b.key"))
	_, third, _ := auditctl(t, "keys", "new", "--name", "prod/c", "--out", filepath.Join(dir, "c.key"))
	if err := os.WriteFile(pub, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := auditctl(t, "keys", "trust", "--cluster", "prod", "--component", "broker,proxy",
		"--sealed-since", "2026-05-01T00:00:00Z", "--reaps", "720h", key, pub, strings.TrimSpace(third))
	if code != 0 || errOut != "" || strings.Contains(out, "PRIVATE") {
		t.Fatalf("%d %s%s", code, out, errOut)
	}
	trust, err := verify.ParseTrust([]byte(out))
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for i, want := range []string{public, other, third} {
		k := trust.Keys[i]
		if k.Key+"\n" != want || k.Cluster != "prod" || strings.Join(k.Components, " ") != "broker proxy" || !k.NotAfter.IsZero() {
			t.Errorf("key %d is %+v, want %s", i, k, want)
		}
	}
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	if c := trust.Components; len(c) != 2 || c[1].Name != "proxy" || c[1].Cluster != "prod" || !c[1].SealedSince.Equal(since) || c[1].Reaps != 30*24*time.Hour {
		t.Errorf("components %+v", c)
	}
}

func TestKeysTrustTakesAnECDSAKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, public, err := seal.SignerKey("prod/kms", key)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := auditctl(t, "keys", "trust", "--component", "broker", public); code != 0 || !strings.Contains(out, "key: "+public) {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}

func TestKeysRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	key, junk := filepath.Join(dir, "a.key"), filepath.Join(dir, "junk")
	_, public, _ := auditctl(t, "keys", "new", "--name", "prod/a", "--out", key)
	if err := os.WriteFile(junk, []byte("PRIVATE+KEY+hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", misused, "a command is missing"},
		{"nwe", misused, "did you mean new?"},
		{"new", misused, "--name: is missing"},
		{"new --name a+b", misused, "--name: want at most 200 bytes without spaces and +"},
		{"new --name a\x1bb", misused, "--name: want at most 200 bytes"},
		{"new --name a --uot x", misused, "did you mean --out?"},
		{"new --name a --out " + filepath.Join(dir, "none", "x"), wrong, "storing the private half"},
		{"trust " + key, misused, "--component is missing"},
		{"trust --component broker", misused, "too few arguments"},
		{"trust --component broker --sealed-since yesterday " + key, misused, "usage:"},
		{"trust --component broker --reaps 1h " + key, wrong, "want at least 24h0m0s"},
		{"trust --component broker PRIVATE+KEY+hunter2", wrong, "a private key is among the arguments"},
		{"trust --component broker " + junk, wrong, "holds no key"},
		{"trust --component broker " + filepath.Join(dir, "none"), wrong, "is no public key, and cannot be read"},
		{"trust --component broker " + key + " " + strings.TrimSpace(public), wrong, `the name "prod/a" is that of another key`},
	} {
		code, out, errOut := auditctl(t, append([]string{"keys"}, strings.Fields(c.args)...)...)
		if code != c.code || out != "" || !strings.Contains(errOut, c.want) || strings.Contains(errOut, "hunter2") || strings.Contains(errOut, "\x1b") {
			t.Errorf("keys %q: %d %s%s, want %d %q", c.args, code, out, errOut, c.code, c.want)
		}
	}
}
