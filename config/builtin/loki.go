package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/loki"
)

type lokiSection struct {
	URL          string `yaml:"url" required:"true" doc:"the address of the server, such as http://loki:3100 or http://victorialogs:9428"`
	loki.Options `yaml:",inline"`
}

// Validate says what is wrong with the address and with the options.
func (s *lokiSection) Validate() error {
	_, err := loki.Root(s.URL, s.Server)
	return errors.Join(config.At("url", err), s.Options.Validate())
}

// Place implements config.Storing.
func (s *lokiSection) Place() any {
	root, err := loki.Root(s.URL, s.Server)
	if err != nil { // which Validate tells
		return nil
	}
	return LokiPlace{root.String(), s.Options}
}

func (s *lokiSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "loki", Level: s.StatedLevel()}
}

func (s *lokiSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Registerer = o.Registerer
	return loki.New(s.URL, opts)
}

// Format keeps secrets out of the output of every verb: Prometheus' Secret hides
// itself in YAML and JSON only.
func (s *lokiSection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "loki section") }
