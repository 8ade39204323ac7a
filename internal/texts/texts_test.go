package texts_test

import (
	"testing"

	"github.com/paddock-dev/audit/internal/texts"
)

func TestVisibleEscapesWhatATerminalActsOn(t *testing.T) {
	for given, want := range map[string]string{
		"plain, é, 世, 😀, \\n": "plain, é, 世, 😀, \\n",
		"a\nb\r\tc":           `a\nb\r\tc`,
		"\x1b[2J\x7f\u009b":   `\u001b[2J\u007f\u009b`,
		"\u202egnp.exe\u2066": `\u202egnp.exe\u2066`,
		"\u2028\u2029":        `\u2028\u2029`,
		"\xff":                "\xff", // without anything to escape it is left alone
	} {
		got := texts.Visible(given)
		if got != want {
			t.Errorf("%q gives %q, want %q", given, got, want)
		}
		if again := texts.Visible(got); again != got {
			t.Errorf("%q gives %q the second time", given, again)
		}
	}
}
