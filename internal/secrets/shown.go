package secrets

import (
	"strings"

	"github.com/paddock-dev/audit/internal/texts"
)

// MaxText is how much of a text of a server an error quotes, in bytes. Ten entries that
// Loki refuses take 2 KiB.
const MaxText = 8 << 10

// Shown returns a text of the server as an error may quote it: without secrets, cut at
// MaxText, and with control characters escaped.
func (s *Secrets) Shown(text string) string {
	text = s.Hide(text)
	if len(text) > MaxText {
		text = text[:MaxText] + "…"
	}
	return texts.Visible(strings.ToValidUTF8(text, "?"))
}

// Hidden returns an error that wraps err, with the text that Shown returns.
func (s *Secrets) Hidden(err error) error { return &shownError{text: s.Shown(err.Error()), err: err} }

// shownError wraps an error and has another text.
type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.err }
