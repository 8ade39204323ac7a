// Package names checks and makes the names, labels and times of events.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/texts"
)

// IsLabelValue is validation.IsValidLabelValue without its regular expression and
// its texts: every write asks it several times.
func IsLabelValue(s string) bool {
	for i := range len(s) {
		if letters[s[i]]&inLabel == 0 {
			return false
		}
	}
	return s == "" || letters[s[0]]&letters[s[len(s)-1]]&atLabelsEnds != 0 && len(s) <= validation.LabelValueMaxLength
}

// IsPlain reports whether s is empty, or lower-case letters, digits and inner
// dashes of at most limit bytes.
func IsPlain(s string, limit int) bool {
	for i := range len(s) {
		if letters[s[i]]&inName == 0 {
			return false
		}
	}
	return s == "" || s[0] != '-' && s[len(s)-1] != '-' && len(s) <= limit
}

// letters says where a character may stand. Every write asks for some hundred, in
// names whose letters and digits no branch predictor foresees.
var letters = func() (of [256]byte) {
	for c := range of {
		lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
		if lower || digit || c == '-' {
			of[c] |= inName
		}
		if lower || upper || digit {
			of[c] |= atLabelsEnds | inLabel
		}
		if c == '-' || c == '_' || c == '.' {
			of[c] |= inLabel
		}
	}
	return of
}()

const (
	inName byte = 1 << iota
	inLabel
	atLabelsEnds
)

// RunLabel returns the value of the label paddock.dev/run for a run: its name
// where that is a label value, and otherwise a readable prefix of it with a hash
// of the whole. A name that is shortened or repaired before it is stored has the
// label of the name that is stored.
func RunLabel(run string) string {
	if IsLabelValue(run) {
		return run
	}
	run = texts.Shorten(run, v1alpha1.MaxNameLength)
	sum := sha256.Sum256([]byte(run))
	hash := hex.EncodeToString(sum[:5])
	prefix := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, run[:min(len(run), validation.LabelValueMaxLength)])
	prefix = prefix[:min(len(prefix), validation.LabelValueMaxLength-1-len(hash))]
	prefix = strings.Trim(prefix, "-_.")
	if prefix == "" {
		return hash
	}
	return prefix + "-" + hash
}

// MaxPort is the highest port of TCP and UDP.
const MaxPort = 65535
