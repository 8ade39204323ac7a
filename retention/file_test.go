package retention_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/retention"
)

const goodFile = `# how long audit events stay in the cluster
default: 30d
rules:
  - {namespace: team-a, keep: 90d}
  - {namespace: team-a, kind: egress-allow, keep: 36h}
  - kind: a-kind-of-our-own
    keep: 720h
interval: 30m
deletesPerSecond: 250
`

func TestAFileSaysWhatAPolicySays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "retention.yaml")
	if err := os.WriteFile(path, []byte(goodFile), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := retention.LoadPolicy(path)
	want := retention.Policy{
		Default: 30 * day,
		Rules: []retention.Rule{
			{Namespace: "team-a", Keep: 90 * day},
			{Namespace: "team-a", Kind: "egress-allow", Keep: 36 * time.Hour},
			{Kind: "a-kind-of-our-own", Keep: 720 * time.Hour},
		},
		Interval: 30 * time.Minute, DeletesPerSecond: 250,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v: %v", got, want, err)
	}
	if got, err := retention.ParsePolicy("r.yaml", []byte("{}")); err != nil || !reflect.DeepEqual(got, retention.Policy{}) {
		t.Errorf("a file that leaves everything out: %+v, %v", got, err)
	}
	if _, err := retention.LoadPolicy(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

var badFiles = map[string]string{
	"":                                "r.yaml: is empty: want default: 30d",
	"default: 23h":                    "r.yaml:1: default: is too short: want at least 1d, which no configuration goes under",
	"default: 0d":                     "r.yaml:1: default: is too short: want at least 1d, which no configuration goes under",
	"default: -5h":                    "r.yaml:1: default: is too short: want at least 1d, which no configuration goes under",
	"default: 4000000000d":            "r.yaml:1: default: is too long: want at most 36500d",
	"default: 99999999999d":           "r.yaml:1: default: want a duration with its unit, such as 30d or 36h",
	"default: 1.5d":                   "r.yaml:1: default: want a duration with its unit, such as 30d or 36h",
	"default: 30":                     "r.yaml:1: default: want a duration with its unit, such as 30d or 36h",
	"default: a month":                "r.yaml:1: default: want a duration with its unit, such as 30d or 36h",
	"default:":                        "r.yaml:1: default: is empty: give it a value or leave the key out",
	"defaults: 30d":                   "r.yaml:1: defaults: is not a known key: did you mean default?",
	"default: 30d\ndefault: 40d":      "r.yaml:2: default: stands in line 1 already: keep one of the two",
	"interval: 0s":                    "r.yaml:1: interval: is out of range: want 1s to 24h0m0s",
	"deletesPerSecond: 0":             "r.yaml:1: deletesPerSecond: is out of range: want 1 to 10000",
	"deletesPerSecond: 1e9":           "r.yaml:1: deletesPerSecond: is a number: want a whole number",
	"rules: {namespace: a}":           "r.yaml:1: rules: is a mapping: want a list, such as [a, b]",
	"rules:\n  - {namespace: team-a}": "r.yaml:2: rules[0].keep: is missing: give how long, such as 30d or 36h",
	"rules:\n  - {keep: 7d}":          "r.yaml:2: rules[0]: names no namespace and no kind: name one, or use default",
	"rules:\n  - {namespace: Team_A, keep: 7d}": "r.yaml:2: rules[0].namespace: is no namespace: want lower-case letters, digits and dashes, at most 63",
	"rules:\n  - {kind: EgressAllow, keep: 7d}": "r.yaml:2: rules[0].kind: is no kind: want lower-case letters, digits and dashes, at most 63",
	"rules:\n  - {kind: x, keep: 1h}\n  - {kind: y, keep: 7d}\n  - {kind: y, keep: 8d}": "r.yaml:2: rules[0].keep: is too short: want at least 1d, which no configuration goes under\n" +
		"r.yaml:4: rules[2]: is for the same events as rules[1]: keep one of the two",
	"default: &d 30d\nrules: [{kind: x, keep: *d}]": "r.yaml:2: rules[0].keep: is an alias: aliases are not supported, write the value out",
	"default: 30d\n---\ndefault: 31d":               "r.yaml:2: begins a second document: want one file with one configuration",
}

func TestABadFileIsRefusedWithItsLineAndTheWayOut(t *testing.T) {
	for text, want := range badFiles {
		_, err := retention.ParsePolicy("r.yaml", []byte(text))
		var bad *config.FileError
		if !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%q:\n%v\nwant:\n%s", text, err, want)
		}
	}
}

func TestAPolicyOfAProgramIsHeldToTheSameRules(t *testing.T) {
	for want, p := range map[string]retention.Policy{
		"default: is too short":                              {Default: time.Hour},
		"rules[0].keep: is too short":                        {Rules: []retention.Rule{{Kind: "x"}}},
		"rules[1]: is for the same events as rules[0]":       {Rules: []retention.Rule{{Kind: "x", Keep: day}, {Kind: "x", Keep: 2 * day}}},
		"interval: is out of range: want 1s to 24h":          {Interval: time.Millisecond},
		"deletesPerSecond: is out of range: want 1 to 10000": {DeletesPerSecond: -1},
	} {
		if _, err := retention.New(&rest.Config{}, p, retention.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", p, err, want)
		}
	}
	if _, err := retention.New(nil, retention.Policy{}, retention.Options{}); err == nil || !strings.Contains(err.Error(), "rest.Config is nil") {
		t.Errorf("without a configuration: %v", err)
	}
}

// Whatever the bytes, the answer is a policy that New takes, or problems with a
// text and a line that is in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodFile))
	for text := range badFiles {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := retention.ParsePolicy("r.yaml", data)
		if err == nil {
			if _, err := retention.New(&rest.Config{}, p, retention.Options{}); err != nil {
				t.Errorf("New refuses what the file was allowed to say: %v", err)
			}
			return
		}
		var bad *config.FileError
		if !errors.As(err, &bad) || len(bad.Problems) == 0 {
			t.Fatalf("not a FileError with problems: %v", err)
		}
		for _, problem := range bad.Problems {
			if problem.Text == "" || problem.Line < 0 || problem.Line > len(data)+1 || strings.ContainsAny(problem.String(), "\n\x00") {
				t.Errorf("a problem of %d bytes: %q", len(data), problem)
			}
		}
	})
}
