package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"sync"
	"time"
)

// hashBits of 256 stand in a hash: enough that no two texts share one.
const hashBits = 128

// hasher hashes texts under one key.
type hasher struct {
	from   time.Time
	prefix string    // "hmac.", the ID and a dot
	states sync.Pool // of *state, which are ready for the next text
}

// state is what one hash needs at a time.
type state struct {
	mac  hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

// newHashers returns a hasher for each key, the oldest first.
func newHashers(keys []Key) []*hasher {
	hashers := make([]*hasher, len(keys))
	for i, k := range keys {
		secret := slices.Clone(k.Secret) // the caller may overwrite its own
		hashers[i] = &hasher{
			from: k.From, prefix: "hmac." + k.ID + ".",
			states: sync.Pool{New: func() any { return &state{mac: hmac.New(sha256.New, secret)} }},
		}
	}
	slices.SortFunc(hashers, func(a, b *hasher) int { return a.from.Compare(b.from) })
	return hashers
}

// hasherAt returns the hasher of an event of a time: the newest that has begun, or the
// oldest. nil when there is none.
func hasherAt(hashers []*hasher, at time.Time) *hasher {
	if len(hashers) == 0 {
		return nil
	}
	for i := len(hashers) - 1; i > 0; i-- {
		if !at.Before(hashers[i].from) {
			return hashers[i]
		}
	}
	return hashers[0]
}

// hash returns the hash of a text; "" of "".
func (h *hasher) hash(text string) string {
	if text == "" {
		return ""
	}
	s := h.states.Get().(*state) //nolint:forcetypeassert // it holds nothing else
	defer h.states.Put(s)
	s.text = append(s.text[:0], text...)
	s.mac.Reset()
	_, _ = s.mac.Write(s.text) // never fails
	sum := s.mac.Sum(s.sum[:0])
	s.text = append(s.text[:0], h.prefix...)
	s.text = hex.AppendEncode(s.text, sum[:hashBits/8])
	return string(s.text)
}

// Hash is the hash of a text under one key.
type Hash struct {
	// KeyID is the ID of the key.
	KeyID string
	// From is when the key begins to be used; zero for the oldest when it says so.
	From time.Time
	// Text is what stands in the events.
	Text string
}

// Hashes returns the hash of a whole text under each key, the oldest first, to search
// events by. With a time it returns only the one that an event of that time has. It
// returns the error of Options.Validate for keys that New would refuse.
func Hashes(keys []Key, text string, at time.Time) ([]Hash, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	var hashes []Hash
	hashers := newHashers(keys)
	for _, h := range hashers {
		if at.IsZero() || h == hasherAt(hashers, at) {
			hashes = append(hashes, Hash{KeyID: h.prefix[len("hmac.") : len(h.prefix)-1], From: h.from, Text: h.hash(text)})
		}
	}
	return hashes, nil
}
