package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/sinks/redact"
)

// maxHashed bounds a text from the standard input, in bytes.
const maxHashed = 1 << 20

// redactHash prints the hashes of a text under the keys of a redaction.
func redactHash(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("redact hash", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	path := flags.String("config", "", "the configuration")
	name := flags.String("redaction", "", "the redaction whose keys to use")
	var at time.Time
	flags.TextVar(&at, "at", time.Time{}, "the time of the event, for the key of that time only")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if *path == "" || *name == "" || flags.NArg() > 1 {
		return fmt.Errorf("%w: redact hash needs --config and --redaction, and at most one value", errUsage)
	}
	file, err := config.Load(*path, builtin.Types())
	if err != nil {
		return err
	}
	redaction, err := file.Redaction(*name)
	if err != nil {
		return err
	}
	text := flags.Arg(0)
	if text == "" || text == "-" {
		if text, err = line(in); err != nil {
			return err
		}
	}
	hasher, ok := redaction.(interface {
		Hashes(text string, at time.Time) ([]redact.Hash, error)
	})
	if !ok {
		return fmt.Errorf("the redaction %s hashes nothing", *name)
	}
	hashes, err := hasher.Hashes(text, at)
	switch {
	case err != nil:
		return fmt.Errorf("%s: redactions.%s: %w", *path, *name, err)
	case len(hashes) == 0:
		return fmt.Errorf("%s: redactions.%s has no keys", *path, *name)
	}
	for i, h := range hashes {
		used := "for events from " + h.From.UTC().Format(time.RFC3339Nano)
		if h.From.IsZero() || i == 0 && at.IsZero() {
			used = "for the oldest events"
		}
		if _, err := fmt.Fprintf(out, "%s  %s\n", h.Text, used); err != nil {
			return err
		}
	}
	return nil
}

// line reads a text without the line break at its end.
func line(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxHashed+1))
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the value: %w", err)
	case text == "" || len(data) > maxHashed:
		return "", fmt.Errorf("%w: give a value of 1 to %d bytes on the standard input", errUsage, maxHashed)
	}
	return text, nil
}
