package seal

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
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

// SignerKey is the Authority of a long-term key that is kept elsewhere: in a key service, a hardware module or an
// agent. The key is an Ed25519 one, or an ECDSA one on P-256. name stands in reports and has no spaces and no +.
// public goes into the auditor's trust.yaml.
//
// A crypto.Signer takes no context. The sink waits for it as Authority says, and calls it once at a time.
func SignerKey(name string, key crypto.Signer) (authority Authority, public string, err error) {
	if key == nil {
		return nil, "", fmt.Errorf("seal: the long-term key %q is nil: give one", name)
	}
	s := &external{key: key}
	switch half := key.Public().(type) {
	case ed25519.PublicKey:
		public, err = note.NewEd25519VerifierKey(name, half)
	case *ecdsa.PublicKey:
		s.hash = crypto.SHA256
		public, err = trail.NewECDSAKey(name, half)
	default:
		err = fmt.Errorf("a key of the type %T cannot vouch: want Ed25519, or ECDSA on P-256", half)
	}
	if err == nil {
		s.Verifier, err = trail.NewVerifier(public)
	}
	if err != nil {
		return nil, "", fmt.Errorf("seal: the long-term key %q: %w", name, err)
	}
	return longTerm{s}, public, nil
}

// external is a note.Signer of a key that is kept elsewhere.
type external struct {
	note.Verifier

	key  crypto.Signer
	hash crypto.Hash // of what is signed; 0 for Ed25519, which hashes itself
}

// Sign signs a note's text, and checks what the key returns.
func (e *external) Sign(msg []byte) ([]byte, error) {
	digest := msg
	if e.hash == crypto.SHA256 {
		sum := sha256.Sum256(msg)
		digest = sum[:]
	}
	signature, err := e.key.Sign(rand.Reader, digest, e.hash)
	if err != nil {
		return nil, fmt.Errorf("the key %s: %w", e.Name(), err)
	}
	if !e.Verify(msg, signature) {
		return nil, fmt.Errorf("the key %s returned a signature that is not one of its public half", e.Name())
	}
	return signature, nil
}

type longTerm struct{ key note.Signer }

// Certify signs the key of a trail, for as long as is asked.
func (a longTerm) Certify(_ context.Context, key string, notBefore, notAfter time.Time) (string, time.Time, error) {
	certificate, err := trail.Certificate{Key: key, NotBefore: notBefore, NotAfter: notAfter}.Certify(a.key)
	return certificate, notAfter, err
}
