package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/sinks/redact"
)

// redaction is what a file says of one redaction.
type redaction struct {
	Keys  []redactionKey `yaml:"keys" doc:"keys of the hashes"`
	Rules []redact.Rule  `yaml:"rules" required:"true" doc:"what becomes of which texts, in order"`
}

type redactionKey struct {
	ID   string    `yaml:"id" required:"true" doc:"what stands in the hashes: at most 24 lower-case letters, digits and inner dashes"`
	File string    `yaml:"file" required:"true" doc:"path of a file with at least 32 random bytes, such as those of openssl rand -hex 32; a line break at its end is no part of the key"`
	From time.Time `yaml:"from" doc:"when the key begins to be used, by the time of the event; the oldest key is used for earlier events as well"`
}

// maxKeyFile bounds the file of a key, in bytes.
const maxKeyFile = 64 << 10

// Validate checks everything but the files of the keys.
func (r *redaction) Validate() error {
	keys := make([]redact.Key, len(r.Keys))
	for i, k := range r.Keys {
		keys[i] = redact.Key{ID: k.ID, Secret: make(redact.Secret, redact.MinSecret), From: k.From}
	}
	return redact.Options{Rules: r.Rules, Keys: keys}.Validate()
}

func (r *redaction) In(next config.Ref) config.Section {
	return &redactSection{redaction: r, next: next}
}

// Hashes returns the hashes of a text, as redact.Hashes does.
func (r *redaction) Hashes(text string, at time.Time) ([]redact.Hash, error) {
	keys, err := r.keys()
	if err != nil {
		return nil, err
	}
	return redact.Hashes(keys, text, at)
}

// keys reads the files of the keys.
func (r *redaction) keys() ([]redact.Key, error) {
	keys := make([]redact.Key, len(r.Keys))
	var errs []error
	for i, k := range r.Keys {
		secret, err := k.read()
		if err != nil {
			errs = append(errs, config.At(fmt.Sprintf("keys[%d].file", i), err))
		}
		keys[i] = redact.Key{ID: k.ID, Secret: secret, From: k.From}
	}
	return keys, errors.Join(errs...)
}

func (k redactionKey) read() (redact.Secret, error) {
	data, err := disk.ReadFile(k.File, maxKeyFile+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no key: %w", err)
	case err != nil:
		return nil, fmt.Errorf("the key cannot be read: %w", err)
	case len(data) > maxKeyFile:
		return nil, fmt.Errorf("%s is larger than %d bytes: is it the right file?", k.File, maxKeyFile)
	}
	secret := redact.Secret(bytes.TrimRight(data, "\r\n"))
	if len(secret) < redact.MinSecret {
		return nil, fmt.Errorf("%s has %d bytes without the line break at its end: want at least %d", k.File, len(secret), redact.MinSecret)
	}
	return secret, nil
}

// redactSection is a redaction in front of a sink.
type redactSection struct {
	*redaction

	next config.Ref
}

func (s *redactSection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.next)
	return config.Plan{Chain: "redact(" + next.Chain + ")", Level: next.Level}
}

// Identity has the keys.
func (s *redactSection) Identity() string {
	var b strings.Builder
	for _, k := range s.Keys {
		secret, err := k.read()
		fmt.Fprintf(&b, "%x %v\n", []byte(secret), err)
	}
	return b.String()
}

// CheckFiles reads the keys.
func (s *redactSection) CheckFiles() error {
	_, err := s.keys()
	return err
}

func (s *redactSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	keys, err := s.keys()
	if err != nil {
		return nil, err
	}
	return redact.New(o.Sink(s.next), redact.Options{Rules: s.Rules, Keys: keys})
}
