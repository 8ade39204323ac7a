package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	sinkoptions "github.com/paddock-dev/audit/internal/options"
	"github.com/paddock-dev/audit/sinks/loki"
)

type lokiSection struct {
	URL          string `yaml:"url" required:"true" doc:"the address of the server, such as http://loki:3100 or http://victorialogs:9428"`
	Level        string `yaml:"level" enum:"accepted,acknowledged" doc:"what a write promises; acknowledged where it is left out, but accepted for victorialogs, where acknowledged waits for the disk of the server"`
	loki.Options `yaml:",inline"`
}

func newLoki() config.Section {
	s := &lokiSection{}
	_ = sinkoptions.Complete(&s.Options) // for the schema, which shows the defaults
	return s
}

// Validate says what is wrong with the address and with the options.
func (s *lokiSection) Validate() error {
	var errs []error
	// With no options, only the address can be wrong.
	sink, err := loki.New(s.URL, loki.Options{})
	if err == nil {
		err = sink.Close(context.Background()) // it holds nothing yet
	}
	errs = append(errs, config.At("url", errors.Unwrap(err)))
	for _, e := range sinkoptions.Split(s.options().Validate()) {
		errs = append(errs, config.At(e.Key, e.Err))
	}
	return errors.Join(errs...)
}

// options are those of the sink, with the level that the file says.
func (s *lokiSection) options() loki.Options {
	o := s.Options
	_ = o.Level.UnmarshalText([]byte(s.Level)) // the decoder takes known words only; it stays 0 without one
	return o
}

// Plan says how the sink will print itself.
func (s *lokiSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "loki", Level: s.options().StatedLevel()}
}

// Open returns the sink.
func (s *lokiSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.options()
	opts.Registerer = o.Registerer
	return loki.New(s.URL, opts)
}

// Format keeps what may be secret out of every verb: Prometheus' Secret hides
// itself in YAML and JSON only.
func (s *lokiSection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "loki section") }
