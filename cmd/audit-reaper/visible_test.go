package main

import (
	"strings"
	"testing"
)

func TestHostileNamesDoNotReachTheTerminalRaw(t *testing.T) {
	const hostile = "\x1b]0;owned\x07\u009b31m\u202egpj.exe\r" // a title, a colour, a reversal, an overwritten line
	for name, args := range map[string][]string{
		"a flag":               {"-x" + hostile},
		"a path of a policy":   {"-config", "none" + hostile},
		"a path of kubeconfig": {"-once", "-kubeconfig", "none" + hostile},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := reaper(t, args...)
			if code == 0 || strings.ContainsAny(out+errOut, "\x1b\x07\u009b\u202e\r") {
				t.Errorf("%d %q", code, out+errOut)
			}
			if !strings.Contains(errOut, `\u202e`) || !strings.HasSuffix(errOut, "\n") {
				t.Errorf("the name is not shown escaped, on lines of its own: %q", errOut)
			}
		})
	}
}
