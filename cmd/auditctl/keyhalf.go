package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ed25519Key is the byte in front of the seed in a private key of golang.org/x/mod/sumdb/note.
const ed25519Key = 1

// publicHalf returns the public half of a private key; "" when the text is none.
func publicHalf(private string) string {
	signer, err := note.NewSigner(private)
	if err != nil {
		return ""
	}
	parts := strings.SplitN(private, "+", 5) // base64 may have the sign as well
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != ed25519Key {
		return ""
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return ""
	}
	key, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return ""
	}
	return key
}
