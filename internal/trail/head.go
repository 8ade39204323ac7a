package trail

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Head is the state of a trail: how many leaves its tree has, and their root. Its text is
// that of C2SP's tlog-checkpoint.
type Head struct {
	// Origin is "<cluster>/<component>/<trail>". It is also the name of the trail's key.
	Origin string
	Size   int64
	Root   Hash
}

// Origin returns the origin of a trail.
func Origin(cluster, component, id string) string { return cluster + "/" + component + "/" + id }

// SplitOrigin returns the parts of an origin.
func SplitOrigin(origin string) (cluster, component, id string, err error) {
	parts := strings.Split(origin, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(origin, " +\n") {
		return "", "", "", fmt.Errorf("the origin %q is not <cluster>/<component>/<trail>", clip(origin))
	}
	return parts[0], parts[1], parts[2], nil
}

// NewKey makes the key of a trail. verifier is public, and signer holds the private half.
func NewKey(origin string) (signer note.Signer, verifier string, err error) {
	private, verifier, err := note.GenerateKey(rand.Reader, origin)
	if err == nil {
		signer, err = note.NewSigner(private)
	}
	if err != nil {
		return nil, "", fmt.Errorf("the key of trail %s: %w", origin, err)
	}
	return signer, verifier, nil
}

func (h Head) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]))
}

// String prints "<origin> <size> <root>".
func (h Head) String() string {
	return strings.ReplaceAll(strings.TrimSuffix(h.text(), "\n"), "\n", " ")
}

func parseHead(text string) (h Head, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Head{}, errors.New("a head is not an origin, a size and a root")
	}
	h.Origin = lines[0]
	if _, _, _, err := SplitOrigin(h.Origin); err != nil {
		return Head{}, err
	}
	if h.Size, err = parseIndex(lines[1]); err != nil {
		return Head{}, fmt.Errorf("the size of a head: %w", err)
	}
	root, err := decodeHashes(lines[2])
	if err != nil || len(root) != 1 {
		return Head{}, errors.New("the root of a head is no hash")
	}
	h.Root = root[0]
	if h.text() != text {
		return Head{}, errors.New("a head has one spelling, and this is another")
	}
	return h, nil
}

// OpenHead returns the head of a note that the key has signed. key is the public half of
// the trail's key.
func OpenHead(signed, key string) (Head, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return Head{}, fmt.Errorf("the trail's key: %w", err)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return Head{}, fmt.Errorf("the note: %w", err)
	}
	h, err := parseHead(n.Text)
	if err != nil {
		return Head{}, err
	}
	if h.Origin != verifier.Name() {
		return Head{}, fmt.Errorf("a note of %q is signed with the key of %q", h.Origin, verifier.Name())
	}
	return h, nil
}

// Certificate binds the key of a trail to its component, for a time.
type Certificate struct {
	// Key is the public half of the trail's key, whose name is the trail's origin.
	Key                 string
	NotBefore, NotAfter time.Time
}

const certificatePrefix = "paddock.dev/audit/trail-key/v1"

// Certify signs a certificate with a key that the auditor trusts.
func (c Certificate) Certify(root note.Signer) (string, error) {
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n", certificatePrefix, c.Key, formatTime(c.NotBefore), formatTime(c.NotAfter))
	signed, err := note.Sign(&note.Note{Text: text}, root)
	if err != nil {
		return "", fmt.Errorf("certifying a trail's key: %w", err)
	}
	return string(signed), nil
}

// OpenCertificate returns a certificate that one of roots has signed, and the name of that root. It does not look at
// the times. An error that is a *note.UnverifiedNoteError says that no root signed it.
func OpenCertificate(signed string, roots note.Verifiers) (c Certificate, root string, err error) {
	n, err := note.Open([]byte(signed), roots)
	if err != nil {
		return Certificate{}, "", fmt.Errorf("the certificate: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != certificatePrefix || lines[4] != "" {
		return Certificate{}, "", errors.New("the certificate is none of a trail's key")
	}
	c.Key = lines[1]
	if c.NotBefore, err = time.Parse(time.RFC3339Nano, lines[2]); err == nil {
		c.NotAfter, err = time.Parse(time.RFC3339Nano, lines[3])
	}
	if err != nil {
		return Certificate{}, "", errors.New("the certificate's times are no times")
	}
	return c, n.Sigs[0].Name, nil
}
