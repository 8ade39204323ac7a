package trail

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	// MaxHeads is how many heads of other trails one checkpoint has at most, and how many of their keys.
	MaxHeads = 16
	// MaxKeys is how many bytes of JSON the entries of those keys have at most, all together.
	MaxKeys = 2 * MaxText
)

// SignedHead is a head with one signature, that of its trail's key if Open says so.
type SignedHead struct {
	Head

	signature [4 + ed25519.SignatureSize]byte // the hash of the key, and its signature, as a note has them
}

// Sign signs the head with the key of its trail.
func (h Head) Sign(signer note.Signer) (SignedHead, error) {
	if signer.Name() != h.Origin {
		return SignedHead{}, fmt.Errorf("the key of %s cannot sign a head of %s", signer.Name(), h.Origin)
	}
	signed, err := note.Sign(&note.Note{Text: h.text()}, signer)
	if err != nil {
		return SignedHead{}, fmt.Errorf("signing the head of %s: %w", h.Origin, err)
	}
	return ParseSignedHead(string(signed))
}

// Note returns the signed note of the head.
func (h SignedHead) Note() string {
	return h.text() + "\n" + h.signatureStart() + base64.StdEncoding.EncodeToString(h.signature[:]) + "\n"
}

func (h SignedHead) signatureStart() string { return "— " + h.Origin + " " }

// ParseSignedHead parses what Note returns, and nothing else. It does not look whose signature it is.
func ParseSignedHead(signed string) (h SignedHead, err error) {
	text, signature, _ := strings.Cut(signed, "\n\n")
	if h.Head, err = parseHead(text + "\n"); err != nil {
		return SignedHead{}, err
	}
	signature, _ = strings.CutPrefix(signature, h.signatureStart())
	if err := h.setSignature(strings.TrimSuffix(signature, "\n")); err != nil {
		return SignedHead{}, err
	}
	if h.Note() != signed {
		return SignedHead{}, errors.New("a signed head has one spelling, and this is another")
	}
	return h, nil
}

func (h *SignedHead) setSignature(text string) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(h.signature) {
		return errors.New("the signature of a head is not the hash of a key and an Ed25519 signature in base64")
	}
	copy(h.signature[:], raw)
	return nil
}

// Open returns nil if the signature is that of the key, and the key is that of the head's trail.
func (h SignedHead) Open(key string) error {
	_, err := OpenHead(h.Note(), key)
	return err
}

// String prints "<origin> <size> <root> <signature>".
func (h SignedHead) String() string {
	return h.Head.String() + " " + base64.StdEncoding.EncodeToString(h.signature[:])
}

func parseSignedLine(line string) (h SignedHead, err error) {
	end := strings.LastIndexByte(line, ' ')
	if end < 0 {
		return SignedHead{}, errors.New("a head has no signature")
	}
	if h.Head, err = parseHead(strings.ReplaceAll(line[:end], " ", "\n") + "\n"); err != nil {
		return SignedHead{}, err
	}
	if err := h.setSignature(line[end+1:]); err != nil {
		return SignedHead{}, err
	}
	return h, nil
}

// OtherKey is the key of another trail, and who vouches for it.
type OtherKey struct {
	// Key is public, in the form of golang.org/x/mod/sumdb/note.
	Key, Certificate string
}

// Fits says why a checkpoint cannot record the key: its form is wrong, it is too long, or it has characters that would
// stand for something else in an event, or for many bytes of JSON.
func (k OtherKey) Fits() error {
	if err := k.check(); err != nil {
		return err
	}
	if strings.ContainsFunc(k.String(), odd) {
		return errors.New("the key or the certificate of a trail has characters that none has")
	}
	if n := k.Size(); n > MaxText {
		return fmt.Errorf("the key and the certificate of a trail have %d bytes, and a checkpoint has room for %d", n, MaxText)
	}
	return nil
}

func odd(r rune) bool {
	return r != '\n' && r != '—' && (r < ' ' || r > '~' || strings.ContainsRune("\"\\<>&", r))
}

// Size returns how many bytes of JSON the entry of the key has at most.
func (k OtherKey) Size() int {
	text := k.String()
	return len(text) + 5*strings.Count(text, "\n") + 3*strings.Count(text, "—")
}

func (k OtherKey) check() error {
	verifier, err := note.NewVerifier(k.Key)
	if err != nil {
		return fmt.Errorf("the key of a trail: %w", err)
	}
	_, _, _, err = SplitOrigin(verifier.Name())
	return err
}

// String prints the key on a line, and the certificate behind it.
func (k OtherKey) String() string { return k.Key + "\n" + k.Certificate }

func parseOtherKey(text string) (k OtherKey, err error) {
	var found bool
	if k.Key, k.Certificate, found = strings.Cut(text, "\n"); !found || k.Certificate == "" {
		return OtherKey{}, errors.New("want a key on a line, and a certificate behind it")
	}
	return k, k.check()
}
