package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/otlp"
)

type otlpSection struct {
	URL          string `yaml:"url" required:"true" doc:"the address of the receiver, such as http://collector:4318, or of its /v1/logs"`
	otlp.Options `yaml:",inline"`
}

// Validate says what is wrong with the address and with the options.
func (s *otlpSection) Validate() error {
	_, err := otlp.Endpoint(s.URL)
	return errors.Join(config.At("url", err), s.Options.Validate())
}

func (s *otlpSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "otlp", Level: s.StatedLevel()}
}

func (s *otlpSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Registerer = o.Registerer
	opts.OnWarning = func(text string) {
		o.Logger.Warn("the receiver of an audit sink warns", "sink", o.Name, "warning", text)
	}
	return otlp.New(s.URL, opts)
}

// Format keeps secrets out of the output of every verb: Prometheus' Secret hides
// itself in YAML and JSON only.
func (s *otlpSection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "otlp section") }
