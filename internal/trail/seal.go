// Package trail has the texts that a sealed trail consists of: seals, checkpoints, signed
// heads and certificates. The stage seal writes them, and package verify reads them.
//
// A trail is the events that one stage sealed in one life of its process. Their leaves are
// those of a Merkle tree as RFC 6962 has it.
package trail

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
	"golang.org/x/mod/sumdb/tlog"
)

// Seal is the value of the annotation paddock.dev/seal: the place of an event in its trail.
type Seal struct {
	// Trail is the ULID of the trail.
	Trail string
	// Index of the event's leaf.
	Index int64
	// Salt is part of the leaf, so that nobody can guess an event from its leaf.
	Salt Salt
}

// Salt is random.
type Salt [12]byte

const version = "v1"

// leafPrefix keeps a leaf from being taken for one of another protocol, and its first byte
// from being taken for a node of the tree.
const leafPrefix = "\x00paddock.dev/audit/event/v1\n"

// MaxIndex is the greatest index that a seal may have. A trail ends long before it.
const MaxIndex = 1<<40 - 1

// NewSalt returns a random salt.
func NewSalt() (s Salt) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// NewID returns the ULID of a new trail.
func NewID() string { return ulid.Make().String() }

// String returns the annotation's value: "v1 <trail> <index> <salt>".
func (s Seal) String() string {
	var room [80]byte
	return string(s.Append(room[:0]))
}

// Append appends what String returns.
func (s Seal) Append(dst []byte) []byte {
	dst = append(dst, version+" "...)
	dst = append(dst, s.Trail...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, s.Index, 10)
	dst = append(dst, ' ')
	return base64.RawURLEncoding.AppendEncode(dst, s.Salt[:])
}

// ParseSeal parses the annotation's value. Each seal has one spelling.
func ParseSeal(text string) (Seal, error) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 || parts[0] != version {
		return Seal{}, fmt.Errorf("a seal is %q, want %q", clip(text), version+" <trail> <index> <salt>")
	}
	s := Seal{Trail: parts[1]}
	if id, err := ulid.ParseStrict(s.Trail); err != nil || id.String() != s.Trail {
		return Seal{}, fmt.Errorf("the trail of a seal is %q, want a ULID", clip(s.Trail))
	}
	var err error
	if s.Index, err = parseIndex(parts[2]); err != nil {
		return Seal{}, fmt.Errorf("the index of a seal: %w", err)
	}
	salt, err := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	copy(s.Salt[:], salt)
	if err != nil || s.String() != text { // base64 passes over line breaks
		return Seal{}, fmt.Errorf("the salt of a seal is %q, want %d bytes in base64url", clip(parts[3]), len(s.Salt))
	}
	return s, nil
}

// Hash is a hash of a tree.
type Hash = tlog.Hash

// AppendLeaf begins the record of an event's leaf. The event's canonical form belongs behind
// it, and HashLeaf makes the leaf of both.
func AppendLeaf(dst []byte, salt Salt) []byte {
	dst = append(dst, leafPrefix...)
	return append(dst, salt[:]...)
}

// HashLeaf returns the leaf of a record: RFC 6962's hash of what follows its first byte.
func HashLeaf(record []byte) Hash { return sha256.Sum256(record) }

func parseIndex(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > MaxIndex || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is no index", clip(text))
	}
	return n, nil
}

// clip returns the beginning of a text for an error.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

var errRange = errors.New("want ranges such as 3,5-9 that ascend and do not touch")
