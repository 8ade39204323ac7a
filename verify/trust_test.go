package verify_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/verify"
)

func TestTrustIsParsedStrictly(t *testing.T) {
	r := newRoot(t)
	key := fmt.Sprintf("{name: a, key: %q, components: [broker]}", r.key)
	for text, want := range map[string]string{
		"":                                           "the trust is empty",
		"components: []":                             "keys is empty",
		"keys: [" + key + "]":                        "",
		"keys: [" + key + "]\nroots: []":             "field roots not found",
		"keys: [" + key + "]\n---\nkeys: []":         "one YAML document",
		"keys: [" + key + "]\nkeys: []":              "already defined",
		"keys: [" + key + ", " + key + "]":           `the name "a" is that of another key`,
		"keys: [{key: x, components: [a]}]":          "keys[0]: name is missing",
		"keys: [{name: a, key: x, components: [a]}]": "keys[0]: key:",
		"keys: [" + strings.Replace(key, "[broker]", "[]", 1) + "]":                                                          "components is missing",
		"keys: [" + strings.Replace(key, "{", "{uses: x, ", 1) + "]":                                                         "field uses not found",
		"keys: [" + strings.Replace(key, "{", "{notAfter: noon, ", 1) + "]":                                                  `cannot parse "noon"`,
		"keys: [" + strings.Replace(key, "{", "{notBefore: 2026-01-02T00:00:00Z, notAfter: 2026-01-01T00:00:00Z, ", 1) + "]": "notBefore is not before notAfter",
		"keys: [" + key + "]\ncomponents: [{cluster: a}]":                                                                    "components[0]: name is missing",
		"keys: [" + key + "]\ncomponents: [{name: a}, {name: a}]":                                                            "components[1]",
		"keys: [" + key + "]\ncomponents: [{name: a, reaps: 1h}]":                                                            "components[0]: reaps is 1h0m0s: want at least 24h0m0s",
		"keys: [" + key + "]\ncomponents: [{name: a, reaps: -720h}]":                                                         "components[0]: reaps is -720h",
		"keys: [" + key + "]\ncomponents: [{name: a, reaps: 720h}]":                                                          "",
		"keys: [" + key + "]\ncomponents: [{name: a}, {name: a, cluster: b}]":                                                "",
	} {
		_, err := verify.ParseTrust([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestTheTrustInTheDocsIsValid(t *testing.T) {
	page, err := os.ReadFile("../docs/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## What a reaper deletes\n")
	_, text, _ = strings.Cut(text, "```yaml\n")
	text, _, found := strings.Cut(text, "```")
	trust, err := verify.ParseTrust([]byte(text))
	if !found || err != nil || len(trust.Keys) != 2 || trust.Components[1].Reaps != 7*day {
		t.Errorf("%+v, %v in\n%s", trust, err, text)
	}
}
