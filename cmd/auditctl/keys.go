package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/internal/disk"
	trails "github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

func keysCommand(env *environment) *cobra.Command {
	cmd := group(&cobra.Command{Use: "keys", Short: "Make and list the keys that vouch for sealed trails"})
	cmd.AddCommand(keysNewCommand(env), keysTrustCommand(env), keysJWKSCommand(env))
	return cmd
}

// maxKeyName bounds the name of a key, in bytes.
const maxKeyName = 200

func keysNewCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "new --name NAME [--out FILE]", Short: "Make a long-term key",
		Long: `new makes an Ed25519 key. The private half goes into a file that only its owner may read, for the key
file of a seal in the configuration. The public half is printed, for auditctl keys trust.

The file must not exist. Keep no copy of it elsewhere: a new key is made in a moment.`,
		Example: "auditctl keys new --name prod/broker --out broker.key > broker.pub",
		Args:    operands(0, 0, "none"),
	}
	name := cmd.Flags().String("name", "", "`name` of the key in reports, such as prod/broker")
	out := cmd.Flags().String("out", "", "`file` of the private half; made of the name when empty: prod-broker.key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkKeyName(*name); err != nil {
			return misuse(cmd, fmt.Errorf("--name: %w", err))
		}
		path := *out
		if path == "" {
			path = strings.ReplaceAll(*name, "/", "-") + ".key"
		}
		return newKey(env, *name, path)
	}
	return cmd
}

func checkKeyName(name string) error {
	foreign := func(r rune) bool {
		return r == '+' || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	}
	switch {
	case name == "":
		return errors.New("is missing: give a name that tells the key apart, such as prod/broker")
	case len(name) > maxKeyName || strings.ContainsFunc(name, foreign):
		return fmt.Errorf("want at most %d bytes without spaces and +, such as prod/broker", maxKeyName)
	}
	return nil
}

// newKey makes a key, stores its private half and prints the public one.
func newKey(env *environment, name, path string) error {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return fmt.Errorf("making the key %s: %w", name, err)
	}
	if err := storeKey(path, private); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(env.errOut, "auditctl: the private half is in %s\n", output.Harmless(path)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.out, public)
	return err
}

// storeKey writes a private key into a file that is not there yet.
func storeKey(path, private string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, disk.PrivateMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists, and a key is never replaced: name another file with --out", path)
	case err != nil:
		return fmt.Errorf("storing the private half: %w", err)
	}
	_, err = f.WriteString(private + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("storing the private half: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// trusting is what keys trust and keys jwks have in common.
type trusting struct {
	cluster     string
	components  []string
	sealedSince time.Time
	reaps       time.Duration
}

var errNoComponent = errors.New("--component is missing: name the components that the keys speak for")

func (t *trusting) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.cluster, "cluster", "", "the `cluster` of the configuration's seal")
	cmd.Flags().StringSliceVar(&t.components, "component", nil, "the `components` that the keys speak for")
	cmd.Flags().TextVar(&t.sealedSince, "sealed-since", time.Time{}, "the `time` (RFC 3339) from which on every event has to have a seal")
	cmd.Flags().DurationVar(&t.reaps, "reaps", 0, "the components are reapers: their tombstones excuse events at least so `old`, such as 720h")
}

func keysTrustCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "trust [--cluster NAME] --component NAME... KEY|FILE...", Short: "Print a trust.yaml with public keys",
		Long: `trust prints the trust.yaml of auditctl verify: that these keys speak for these components.

A key is given as it was printed, or as a file that holds it. Of a file with a private half, the public
one is printed.`,
		Example: "auditctl keys trust --cluster prod --component broker broker.pub > trust.yaml",
		Args:    operands(1, -1, "at least one public key or file"),
	}
	t := &trusting{}
	t.addFlags(cmd)
	cmd.Flags().Lookup("cluster").Usage += "; every cluster when empty"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(t.components) == 0 {
			return misuse(cmd, errNoComponent)
		}
		text, err := t.ofKeys(args)
		if err != nil {
			return err
		}
		_, err = env.out.Write(text)
		return err
	}
	return cmd
}

// ofKeys returns the text of a verify.Trust in keys.
func (t *trusting) ofKeys(keys []string) ([]byte, error) {
	trust := verify.Trust{}
	for _, text := range keys {
		public, err := publicKey(text)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(public, "+")
		trust.Keys = append(trust.Keys, verify.Key{Name: name, Key: public, Cluster: t.cluster, Components: t.components})
	}
	return t.yaml(trust)
}

// yaml returns the text of a verify.Trust, with the components.
func (t *trusting) yaml(trust verify.Trust) ([]byte, error) {
	for _, name := range t.components {
		trust.Components = append(trust.Components, verify.Component{Name: name, Cluster: t.cluster, SealedSince: t.sealedSince, Reaps: t.reaps})
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(trust), enc.Close()); err != nil {
		return nil, err
	}
	if _, err := verify.ParseTrust(text.Bytes()); err != nil { // such as two keys of one name
		return nil, err
	}
	return text.Bytes(), nil
}

// maxKeyFile bounds the file of a key, in bytes.
const maxKeyFile = 4 << 10

// privatePrefix begins a private key in the form of golang.org/x/mod/sumdb/note.
const privatePrefix = "PRIVATE+KEY+"

// publicKey returns the public key that an argument is, or that its file holds.
func publicKey(arg string) (string, error) {
	if strings.HasPrefix(arg, privatePrefix) {
		return "", errors.New("a private key is among the arguments, which other users of the machine see: make a new one, and name its file")
	}
	if _, err := trails.NewVerifier(arg); err == nil {
		return arg, nil
	}
	data, err := disk.ReadFile(arg, maxKeyFile+1)
	if err != nil {
		return "", fmt.Errorf("%s is no public key, and cannot be read as the file of one: %w", arg, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if strings.HasPrefix(text, privatePrefix) {
		text = publicHalf(text)
	}
	if _, err := trails.NewVerifier(text); err != nil {
		return "", fmt.Errorf("%s holds no key: want what auditctl keys new made", arg)
	}
	return text, nil
}
