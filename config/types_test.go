package config_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestAddRefusesTypeThatCannotWork(t *testing.T) {
	section := func() config.Section { return &recorderSection{} }
	for _, c := range []struct {
		typ  config.Type
		want string
	}{
		{config.Type{Name: "loki", New: section}, `there is a type "loki" already`},
		{config.Type{Name: "", New: section}, "needs a name"},
		{config.Type{Name: "not a name", New: section}, "needs a name"},
		{config.Type{Name: "a"}, "has no New"},
		{config.Type{Name: "a", New: func() config.Section { return valueSection{} }}, "must return a pointer to a struct"},
		{config.Type{Name: "a", New: func() config.Section { return &channelSection{} }}, "key c: a chan int cannot be written in a file"},
		{config.Type{Name: "a", New: func() config.Section { return &typeSection{} }}, "has a key type"},
	} {
		if err := builtin.Types().Add(c.typ); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Add(%q): %v, want %s", c.typ.Name, err, c.want)
		}
	}
}

type valueSection struct{}

func (valueSection) Plan(config.Planning) config.Plan { return config.Plan{} }
func (valueSection) Open(context.Context, config.Opening) (auditing.Sink, error) {
	return auditing.NoopSink{}, nil
}

type channelSection struct {
	valueSection
	C chan int `yaml:"c"`
}

type typeSection struct {
	valueSection
	Type string `yaml:"type"`
}

type redactionOf struct {
	C chan int `yaml:"c"`
}

func (*redactionOf) In(config.Ref) config.Section { return valueSection{} }

func TestSetRedactionRefusesWhatCannotWork(t *testing.T) {
	types := &config.Types{}
	for want, made := range map[string]func() config.Redaction{
		"needs a function":                       nil,
		"must be a pointer to a struct":          func() config.Redaction { return nil },
		"key c: a chan int cannot be written in": func() config.Redaction { return &redactionOf{} },
	} {
		if err := types.SetRedaction(made); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestRedactionsThatNoProgramKnowsAreRefused(t *testing.T) {
	types := &config.Types{}
	if err := types.Add(config.Type{Name: "recorder", New: func() config.Section { return &recorderSection{} }}); err != nil {
		t.Fatal(err)
	}
	const text = `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
redactions: {people: {rules: []}}
sinks: {a: {type: recorder}}
components: {broker: {sink: a, redact: people, onFailure: open}}
`
	_, err := config.Parse("audit.yaml", []byte(text), types)
	if err == nil || !strings.Contains(err.Error(), "audit.yaml:3: redactions: are unknown to this program") ||
		!strings.Contains(err.Error(), "components.broker.redact: there is no redaction people") {
		t.Errorf("error %v", err)
	}
}

func TestParseWithoutTypesFails(t *testing.T) {
	if _, err := config.Parse("audit.yaml", nil, nil); err == nil || !strings.Contains(err.Error(), "builtin.Types()") {
		t.Errorf("Parse: %v", err)
	}
}

// liar is a section that plans a higher level than its sink has.
type liar struct{ valueSection }

func (*liar) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "liar", Level: auditing.LevelAcknowledged}
}

func TestOpenRefusesSinkBelowItsPlannedLevel(t *testing.T) {
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "liar", New: func() config.Section { return &liar{} }}); err != nil {
		t.Fatal(err)
	}
	_, err := config.Open(t.Context(), writeFile(t, "sinks: {a: {type: liar}}\ncomponents: {broker: {sink: a}}\n"), types, config.Deps{})
	if err == nil || !strings.Contains(err.Error(), "components.broker: fails closed over noop, which turned out to be at level none only") {
		t.Errorf("Open: %v", err)
	}
}

func TestDeepChainIsOrderedAndPrinted(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "components: {broker: {sink: s0}}\nsinks:\n")
	const depth = 200
	for i := range depth {
		fmt.Fprintf(&b, "  s%d: {type: retry, next: s%d}\n", i, i+1)
	}
	fmt.Fprintf(&b, "  s%d: {type: kube}\n", depth)
	f, err := config.Parse("audit.yaml", []byte(b.String()), builtin.Types())
	if err != nil {
		t.Fatal(err)
	}
	want := "broker: " + strings.Repeat("retry(", depth) + "kube" + strings.Repeat(")", depth) + ": acknowledged, fails closed"
	if got := f.String(); got != want {
		t.Errorf("chains: %s", got)
	}
}

// taggedSection has a field of each kind that can have a default tag.
type taggedSection struct {
	valueSection

	Wait  time.Duration `yaml:"wait" default:"3s" min:"1s" max:"1m" off:"true"`
	Rate  float64       `yaml:"rate" default:"10" min:"1" off:"true"`
	Mode  string        `yaml:"mode" default:"fast" enum:"fast,safe"`
	Shade shade         `yaml:"shade" default:"grey" enum:"black,grey"`
	Inner struct {
		Count uint `yaml:"count" default:"7"`
	} `yaml:"inner"`
}

// shade is a type with an UnmarshalText.
type shade int

func (s *shade) UnmarshalText(text []byte) error {
	*s = shade(len(text))
	return nil
}

func (s shade) String() string { return map[shade]string{4: "grey", 5: "black"}[s] }

// parseTagged reads a file with one sink of the type tagged, which has these keys.
func parseTagged(t *testing.T, keys string) (*taggedSection, error) {
	t.Helper()
	section := &taggedSection{}
	var types config.Types
	if err := types.Add(config.Type{Name: "tagged", New: func() config.Section { *section = taggedSection{}; return section }}); err != nil {
		t.Fatal(err)
	}
	_, err := config.Parse("audit.yaml", []byte(head+"sinks: {a: {type: tagged"+keys+"}}\ncomponents: {broker: {sink: a, onFailure: open}}\n"), &types)
	return section, err
}

func TestKeysLeftOutGetDefaultsOfTags(t *testing.T) {
	s, err := parseTagged(t, "")
	if err != nil || s.Wait != 3*time.Second || s.Rate != 10 || s.Mode != "fast" || s.Shade != 4 || s.Inner.Count != 7 {
		t.Errorf("got %+v (%v)", s, err)
	}
	var types config.Types
	if err := types.Add(config.Type{Name: "tagged", New: func() config.Section { return &taggedSection{} }}); err != nil {
		t.Fatal(err)
	}
	var defaults []string
	for _, k := range types.All()[0].Keys() {
		defaults = append(defaults, k.Name+" "+k.Kind+" "+k.Default)
	}
	if want := "wait duration 3s, rate number 10, mode fast | safe fast, shade black | grey grey, inner.count number 7"; strings.Join(defaults, ", ") != want {
		t.Errorf("listed: %s", strings.Join(defaults, ", "))
	}
}

func TestNegativeValueTurnsKeyOff(t *testing.T) {
	s, err := parseTagged(t, ", wait: -1s, rate: -1, shade: black")
	if err != nil || s.Wait != -time.Second || s.Rate != -1 || s.Shade != 5 {
		t.Errorf("got %+v (%v)", s, err)
	}
}

func TestZeroNeverStandsForDefault(t *testing.T) {
	for _, keys := range []string{", wait: 0s", ", rate: 0", `, mode: ""`, `, shade: ""`, ", inner: {count: 0}"} {
		if s, err := parseTagged(t, keys); err == nil {
			t.Errorf("%s: taken, %+v", keys, s)
		}
	}
}
