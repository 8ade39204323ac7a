package trail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// typeECDSA is the byte in front of an ECDSA key, as C2SP's signed-note assigns it.
const typeECDSA = 2

// NewVerifier is note.NewVerifier, and takes ECDSA keys on P-256 as well, which sign as C2SP's signed-note says
// of the type 0x02: most key services have no Ed25519.
func NewVerifier(key string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(key, "+")
	hash, encoded, _ := strings.Cut(rest, "+")
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(data) == 0 || data[0] != typeECDSA {
		return note.NewVerifier(key)
	}
	parsed, err := x509.ParsePKIXPublicKey(data[1:])
	public, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, errors.New("the key is none of ECDSA")
	}
	v, err := newECDSAVerifier(name, public)
	if err != nil {
		return nil, err
	}
	if hash != fmt.Sprintf("%08x", v.hash) {
		return nil, errors.New("the hash in the key is not that of the key")
	}
	return v, nil
}

// NewECDSAKey returns the public key of a name in the form that NewVerifier takes.
func NewECDSAKey(name string, public *ecdsa.PublicKey) (string, error) {
	v, err := newECDSAVerifier(name, public)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s+%08x+%s", name, v.hash, base64.StdEncoding.EncodeToString(append([]byte{typeECDSA}, v.der...))), nil
}

type ecdsaVerifier struct {
	name   string
	hash   uint32
	der    []byte // of the key
	public *ecdsa.PublicKey
}

func newECDSAVerifier(name string, public *ecdsa.PublicKey) (*ecdsaVerifier, error) {
	switch {
	case public.Curve != elliptic.P256():
		return nil, errors.New("an ECDSA key has to be one on P-256")
	case name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r == '+' || unicode.IsSpace(r) }):
		return nil, errors.New("the name of a key has no spaces and no +")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, errors.New("the key is none of ECDSA")
	}
	sum := sha256.Sum256(der)
	return &ecdsaVerifier{name, binary.BigEndian.Uint32(sum[:]), der, public}, nil
}

// Name implements note.Verifier.
func (v *ecdsaVerifier) Name() string { return v.name }

// KeyHash implements note.Verifier.
func (v *ecdsaVerifier) KeyHash() uint32 { return v.hash }

// Verify implements note.Verifier.
func (v *ecdsaVerifier) Verify(msg, sig []byte) bool {
	sum := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(v.public, sum[:], sig)
}
