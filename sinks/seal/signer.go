package seal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/internal/trail"
)

// signer is a note.Signer whose key can be erased.
type signer struct {
	note.Verifier // has the name and the hash of the key

	private ed25519.PrivateKey
}

// newSigner makes a key of this name. key is its public half, in the form of note.
func newSigner(name string) (s *signer, key string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("making the key of a trail: %w", err)
	}
	if key, err = note.NewEd25519VerifierKey(name, public); err != nil {
		return nil, "", fmt.Errorf("the key of trail %s: %w", name, err)
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, "", fmt.Errorf("the key of trail %s: %w", name, err)
	}
	return &signer{verifier, private}, key, nil
}

var errErased = errors.New("the key of the trail is erased")

// Sign signs a note's text.
func (s *signer) Sign(msg []byte) ([]byte, error) {
	if s.private == nil {
		return nil, errErased
	}
	return ed25519.Sign(s.private, msg), nil
}

func (s *signer) erase() {
	clear(s.private)
	s.private = nil
}

// LongTermKey is the Authority of a key that the auditor knows: private is a signing key as
// note.GenerateKey returns it. Its public half goes into the auditor's trust.yaml.
func LongTermKey(private string) (Authority, error) {
	key, err := note.NewSigner(private)
	if err != nil {
		return nil, errors.New("seal: the long-term key is no signing key of golang.org/x/mod/sumdb/note: make one with note.GenerateKey")
	}
	return longTerm{key}, nil
}

type longTerm struct{ key note.Signer }

// Certify signs the key of a trail, for as long as is asked.
func (a longTerm) Certify(_ context.Context, key string, notBefore, notAfter time.Time) (string, time.Time, error) {
	certificate, err := trail.Certificate{Key: key, NotBefore: notBefore, NotAfter: notAfter}.Certify(a.key)
	return certificate, notAfter, err
}
