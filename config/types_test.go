package config_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestATypeThatCannotWorkIsRefused(t *testing.T) {
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

func TestWithoutTypesNothingCanBeRead(t *testing.T) {
	if _, err := config.Parse("audit.yaml", nil, nil); err == nil || !strings.Contains(err.Error(), "builtin.Types()") {
		t.Errorf("Parse: %v", err)
	}
}

// liar plans to be safer than it is.
type liar struct{ valueSection }

func (*liar) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "liar", Level: auditing.LevelAcknowledged}
}

func TestASinkThatIsLessSafeThanItsTypeSaidIsNotUsedFailClosed(t *testing.T) {
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "liar", New: func() config.Section { return &liar{} }}); err != nil {
		t.Fatal(err)
	}
	_, err := config.Open(t.Context(), writeFile(t, "sinks: {a: {type: liar}}\ncomponents: {broker: {sink: a}}\n"), types, config.Deps{})
	if err == nil || !strings.Contains(err.Error(), "components.broker: fails closed over noop, which turned out to be at level none only") {
		t.Errorf("Open: %v", err)
	}
}

func TestADeepChainIsOrderedAndPrinted(t *testing.T) {
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
