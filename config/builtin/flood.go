package builtin

import (
	"context"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/flood"
)

type floodSection struct {
	Next          config.Ref `yaml:"next" required:"true" doc:"the name of the sink to write to"`
	flood.Options `yaml:",inline"`
}

func (s *floodSection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	return config.Plan{Chain: "flood(" + next.Chain + ")", Level: next.Level}
}

func (s *floodSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Name, opts.Registerer = o.Name, o.Registerer
	return flood.New(o.Sink(s.Next), opts)
}
