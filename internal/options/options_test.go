package options_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/options"
)

type common struct {
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m"`
}

type all struct {
	common `yaml:",inline"`

	Rate   float64 `yaml:"rate" default:"100" min:"0.5" max:"1000" off:"true"`
	Bytes  int64   `yaml:"bytes" default:"1048576" min:"1024"`
	Mode   string  `yaml:"mode" default:"fast" enum:"fast,safe"`
	Path   string  `yaml:"path"`
	Hidden int
}

func TestCompleteSetsDefaults(t *testing.T) {
	o := all{Hidden: -7}
	if err := options.Complete(&o); err != nil {
		t.Fatal(err)
	}
	want := all{common: common{10 * time.Second}, Rate: 100, Bytes: 1 << 20, Mode: "fast", Hidden: -7}
	if o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
}

func TestCompleteKeepsWhatIsSet(t *testing.T) {
	o := all{common: common{time.Second}, Rate: -1, Bytes: 1024, Mode: "safe", Path: "p"}
	want := o
	if err := options.Complete(&o); err != nil || o != want {
		t.Errorf("got %+v (%v), want %+v", o, err, want)
	}
}

func TestCompleteNamesEveryBadField(t *testing.T) {
	o := all{common: common{-time.Second}, Rate: math.NaN(), Bytes: 1023, Mode: "s3cret"}
	want := map[string]string{
		"timeout": "Options.Timeout: is out of range: want 1ms to 10m0s",
		"rate":    "Options.Rate: is out of range: want 0.5 to 1000, or a negative value to turn it off",
		"bytes":   "Options.Bytes: is out of range: want at least 1024",
		"mode":    "Options.Mode: is not one of the words it can be: want fast or safe",
	}
	err := options.Complete(&o)
	for _, e := range options.Split(err) {
		if e.Error() != want[e.Key] {
			t.Errorf("%s: %v", e.Key, e)
		}
		delete(want, e.Key)
	}
	if len(want) > 0 {
		t.Errorf("not reported: %v, got %v", want, err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error quotes a value: %v", err)
	}
}

func TestInfiniteRateIsOutOfRange(t *testing.T) {
	for _, rate := range []float64{math.Inf(1), math.Inf(-1)} {
		if err := options.Complete(&all{Rate: rate}); err == nil {
			t.Errorf("%v passes", rate)
		}
	}
}

func TestSplitTakesJoinedErrorsApart(t *testing.T) {
	plain, at := errors.New("plain"), options.At(all{}, "Rate", "too %s", "high")
	got := options.Split(errors.Join(at, errors.Join(plain, nil)))
	if len(got) != 2 || got[0].Error() != "Options.Rate: too high" || got[0].Key != "rate" || !errors.Is(got[1], plain) || got[1].Key != "" {
		t.Errorf("got %v", got)
	}
}

func TestCheckRefusesZeroForADefault(t *testing.T) {
	type counted struct {
		Kept  int    `yaml:"kept" default:"3" min:"0"`
		Count int    `yaml:"count" min:"0"`
		Name  string `yaml:"name" default:"audit"`
		Path  string `yaml:"path"`
	}
	for _, f := range options.Of(reflect.TypeFor[counted]()) {
		err := f.Check(reflect.New(f.Type).Elem())
		if hasDefault := f.Key == "kept" || f.Key == "name"; (err != nil) != hasDefault {
			t.Errorf("%s: %v", f.Key, err)
		}
	}
}

// word has an UnmarshalText, as auditing.Level has.
type word int

func (w *word) UnmarshalText(text []byte) error {
	*w = word(len(text))
	return nil
}

func TestCompleteReadsDefaultsOfTextUnmarshalers(t *testing.T) {
	o := struct {
		Level word `yaml:"level" default:"durable" enum:"durable,accepted"`
		Count uint `yaml:"count" default:"7"`
	}{}
	if err := options.Complete(&o); err != nil || o.Level != 7 || o.Count != 7 {
		t.Errorf("got %+v (%v)", o, err)
	}
}
