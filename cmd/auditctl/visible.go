package main

import (
	"io"
	"strings"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
)

// visible writes JSON with the characters escaped that encoding/json leaves and a terminal
// acts on. It stays the same JSON, because such characters occur in its strings only.
type visible struct{ to io.Writer }

// Write takes whole lines.
func (v visible) Write(p []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		text, ended := strings.CutSuffix(line, "\n")
		b.WriteString(output.Harmless(text))
		if ended {
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(v.to, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
