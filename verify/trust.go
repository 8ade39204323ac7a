package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/internal/trail"
)

// Trust is what an auditor believes without proof.
type Trust struct {
	// Keys certify the keys of trails.
	Keys []Key `yaml:"keys,omitempty"`
	// Issuers are clusters whose tokens certify the keys of trails.
	Issuers []Issuer `yaml:"issuers,omitempty"`
	// Components are those whose events the auditor expects.
	Components []Component `yaml:"components,omitempty"`
}

// Key is a long-term key that certifies the keys of trails.
type Key struct {
	// Name stands in reports. No two keys have the same.
	Name string `yaml:"name"`
	// Key is the public key, in the form of golang.org/x/mod/sumdb/note. It is an Ed25519 one, or an ECDSA one
	// on P-256, in the form that C2SP's signed-note has for it.
	Key string `yaml:"key"`
	// Cluster is the one whose components the key may speak for; "" for all.
	Cluster string `yaml:"cluster,omitempty"`
	// Components that the key may speak for; "*" for all.
	Components []string `yaml:"components"`
	// NotBefore and NotAfter bound the times of the checkpoints that the key vouches for. Zero
	// for no bound.
	NotBefore time.Time `yaml:"notBefore,omitempty"`
	NotAfter  time.Time `yaml:"notAfter,omitempty"`

	verifier note.Verifier
}

// Component is one whose events the auditor expects.
type Component struct {
	// Name is that of the label paddock.dev/component.
	Name string `yaml:"name"`
	// Cluster of the component; "" for all.
	Cluster string `yaml:"cluster,omitempty"`
	// SealedSince is when the component's events were first sealed. Each one from then on has to
	// have a seal. Zero where the events need not have one.
	SealedSince time.Time `yaml:"sealedSince,omitempty"`
	// Reaps lets the component delete: its tombstones excuse events that are missing and were
	// at least this old. At least MinReaps; zero for a component whose tombstones count for
	// nothing.
	Reaps time.Duration `yaml:"reaps,omitempty"`
}

// MinReaps is the least of Component.Reaps: a reaper keeps every event for a day.
const MinReaps = 24 * time.Hour

// LoadTrust reads a file as ParseTrust does.
func LoadTrust(path string) (*Trust, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the trust: %w", err)
	}
	t, err := ParseTrust(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// ParseTrust parses the YAML of a Trust. A key that it does not know is an error.
func ParseTrust(text []byte) (*Trust, error) {
	t := &Trust{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(t); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the trust is empty: want keys or issuers, and components")
	case err != nil:
		return nil, fmt.Errorf("the trust: %w", err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("the trust: want one YAML document, and nothing behind it")
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("the trust: %w", err)
	}
	return t, nil
}

func (t *Trust) check() error {
	if len(t.Keys) == 0 && len(t.Issuers) == 0 {
		return errors.New("keys is empty, and so is issuers: want at least one that certifies the keys of trails")
	}
	for i := range t.Keys {
		k := &t.Keys[i]
		if err := k.check(); err != nil {
			return fmt.Errorf("keys[%d]: %w", i, err)
		}
		if slices.ContainsFunc(t.Keys[:i], func(o Key) bool { return o.Name == k.Name }) {
			return fmt.Errorf("keys[%d]: the name %q is that of another key", i, k.Name)
		}
	}
	for n := range t.Issuers {
		i := &t.Issuers[n]
		if err := i.check(); err != nil {
			return fmt.Errorf("issuers[%d]: %w", n, err)
		}
		if slices.ContainsFunc(t.Keys, func(k Key) bool { return k.Name == i.Name }) ||
			slices.ContainsFunc(t.Issuers[:n], func(o Issuer) bool { return o.Name == i.Name }) {
			return fmt.Errorf("issuers[%d]: the name %q is that of another key or issuer", n, i.Name)
		}
	}
	for i, c := range t.Components {
		if c.Name == "" {
			return fmt.Errorf("components[%d]: name is missing", i)
		}
		if c.Reaps != 0 && c.Reaps < MinReaps {
			return fmt.Errorf("components[%d]: reaps is %s: want at least %s, for which a reaper keeps every event, such as 720h", i, c.Reaps, MinReaps)
		}
		if slices.ContainsFunc(t.Components[:i], func(o Component) bool { return o.Name == c.Name && o.Cluster == c.Cluster }) {
			return fmt.Errorf("components[%d]: %q is there already", i, c.Name)
		}
	}
	return nil
}

func (k *Key) check() (err error) {
	switch {
	case k.Name == "":
		return errors.New("name is missing")
	case len(k.Components) == 0:
		return errors.New(`components is missing: want those that the key may speak for, or ["*"]`)
	case !k.NotAfter.IsZero() && !k.NotBefore.Before(k.NotAfter):
		return errors.New("notBefore is not before notAfter")
	}
	if k.verifier, err = trail.NewVerifier(k.Key); err != nil {
		return fmt.Errorf("key: %w: want <name>+<hash>+<base64>", err)
	}
	return nil
}

// speaksFor reports whether the key may certify keys of the component.
func (k *Key) speaksFor(cluster, component string) bool {
	return (k.Cluster == "" || k.Cluster == cluster) && (slices.Contains(k.Components, "*") || slices.Contains(k.Components, component))
}

// within reports whether t lies between two bounds, which may be zero.
func within(t, notBefore, notAfter time.Time) bool {
	return (notBefore.IsZero() || !t.Before(notBefore)) && (notAfter.IsZero() || !t.After(notAfter))
}

// component returns what the trust says of a component. Where several clusters have one of its
// name, it is that which was sealed first: events do not say which cluster they are from.
func (t *Trust) component(name string) (found *Component) {
	for i := range t.Components {
		c := &t.Components[i]
		if c.Name == name && (found == nil || found.SealedSince.IsZero() || !c.SealedSince.IsZero() && c.SealedSince.Before(found.SealedSince)) {
			found = c
		}
	}
	return found
}

// expects reports whether the auditor expects the trails of a component.
func (t *Trust) expects(cluster, component string) bool {
	return slices.ContainsFunc(t.Components, func(c Component) bool {
		return c.Name == component && (c.Cluster == "" || c.Cluster == cluster) && !c.SealedSince.IsZero()
	})
}

// reaps returns how old events are at least that the tombstones of a component excuse; 0 for none.
func (t *Trust) reaps(cluster, component string) (least time.Duration) {
	for _, c := range t.Components {
		if c.Name == component && (c.Cluster == "" || c.Cluster == cluster) {
			least = max(least, c.Reaps)
		}
	}
	return least
}
