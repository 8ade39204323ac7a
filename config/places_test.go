package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/config"
)

// keeping is a type of sink that keeps events, and hands them on where next is set.
type keeping struct {
	recorderSection `yaml:",inline"`
}

func (s *keeping) Place() any { return "at " + s.To }

const manyPlaces = `sinks:
  all:    {type: recorder, to: x, next: [queue, screen]}
  queue:  {type: keeping, to: disk, next: [lake, screen]}
  lake:   {type: keeping, to: server}
  screen: {type: recorder, to: x}
  old:    {type: keeping, to: attic}
components: {broker: {sink: all, onFailure: open}}
`

func placesFile(t *testing.T) *config.File {
	t.Helper()
	var all recorders
	types := all.types(t)
	if err := types.Add(config.Type{Name: "keeping", New: func() config.Section { return &keeping{recorderSection{all: &all}} }}); err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse("audit.yaml", []byte("apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"+manyPlaces), types)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPlacesAreThoseBehindTheNamedSinks(t *testing.T) {
	f := placesFile(t)
	for names, want := range map[string]string{
		"":           "lake=at server queue=at disk screen=none",
		"all":        "queue=at disk lake=at server screen=none",
		"lake":       "lake=at server",
		"lake queue": "lake=at server queue=at disk screen=none",
		"screen":     "screen=none",
		"old lake":   "old=at attic lake=at server",
	} {
		places, err := f.Places(strings.Fields(names)...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range places {
			where, ok := p.Where.(string)
			if !ok {
				where = "none"
			}
			got = append(got, p.Sink+"="+where)
			if p.Chain != "recorder" {
				t.Errorf("%s has the chain %q", p.Sink, p.Chain)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", names, got, want)
		}
	}
	if got := f.SinkNames(); !slices.Equal(got, []string{"all", "lake", "old", "queue", "screen"}) {
		t.Errorf("the sinks are %v", got)
	}
}

func TestUnknownPlaceGetsASuggestionAndTheList(t *testing.T) {
	_, err := placesFile(t).Places("lake", "lakes")
	if want := "audit.yaml: there is no sink lakes: did you mean lake?: there are all, lake, old, queue, screen"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := placesFile(t).Places("\x1b[2J"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}
