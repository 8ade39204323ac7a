package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/sinks/redact"
)

// maxHashed bounds a text from the standard input, in bytes.
const maxHashed = 1 << 20

func redactCommand(env *environment) *cobra.Command {
	cmd := group(&cobra.Command{Use: "redact", Short: "Find what a redaction has hashed"})
	cmd.AddCommand(redactHashCommand(env))
	return cmd
}

// hashing is what redact hash was asked for.
type hashing struct {
	path, redaction string
	at              time.Time
}

func redactHashCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "hash --config FILE --redaction NAME [VALUE]", Short: "Print the hashes of a value under the keys of a redaction",
		Long: `hash prints what a redaction with hmac makes of a value under each of its keys, to search for.

The value is read from the standard input, as one line, when it is missing or -: other users of
the machine see the arguments of a command.`,
		Example: "auditctl redact hash --config audit.yaml --redaction people < user.txt",
		Args:    operands(0, 1, "at most one value"),
	}
	h := &hashing{}
	cmd.Flags().StringVar(&h.path, "config", "", "configuration `file`")
	cmd.Flags().StringVar(&h.redaction, "redaction", "", "the redaction whose keys to use")
	cmd.Flags().TextVar(&h.at, "at", time.Time{}, "the `time` of the event (RFC 3339), for the key of that time only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if h.path == "" || h.redaction == "" {
			return misuse(cmd, errors.New("redact hash needs --config and --redaction"))
		}
		text := ""
		if len(args) > 0 {
			text = args[0]
		}
		if text == "" || text == stdin {
			var err error
			if text, err = line(cmd, env.in); err != nil {
				return err
			}
		}
		return h.print(env.out, text)
	}
	return cmd
}

// print prints the hashes of a text.
func (h *hashing) print(out io.Writer, text string) error {
	file, err := config.Load(h.path, builtin.Types())
	if err != nil {
		return err
	}
	redaction, err := file.Redaction(h.redaction)
	if err != nil {
		return err
	}
	hasher, ok := redaction.(interface {
		Hashes(text string, at time.Time) ([]redact.Hash, error)
	})
	if !ok {
		return fmt.Errorf("the redaction %s hashes nothing", h.redaction)
	}
	hashes, err := hasher.Hashes(text, h.at)
	switch {
	case err != nil:
		return fmt.Errorf("%s: redactions.%s: %w", h.path, h.redaction, err)
	case len(hashes) == 0:
		return fmt.Errorf("%s: redactions.%s has no keys", h.path, h.redaction)
	}
	for i, found := range hashes {
		used := "for events from " + found.From.UTC().Format(time.RFC3339Nano)
		if found.From.IsZero() || i == 0 && h.at.IsZero() {
			used = "for the oldest events"
		}
		if _, err := fmt.Fprintf(out, "%s  %s\n", found.Text, used); err != nil {
			return err
		}
	}
	return nil
}

// line reads a text without the line break at its end.
func line(cmd *cobra.Command, in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxHashed+1))
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the value: %w", err)
	case text == "" || len(data) > maxHashed:
		return "", misuse(cmd, fmt.Errorf("give a value of 1 to %d bytes on the standard input", maxHashed))
	}
	return text, nil
}
