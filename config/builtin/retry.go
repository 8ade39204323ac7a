package builtin

import (
	"context"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/retry"
)

type retrySection struct {
	Next          config.Ref `yaml:"next" required:"true" doc:"the name of the sink to write to"`
	retry.Options `yaml:",inline"`
}

func (s *retrySection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	return config.Plan{Chain: "retry(" + next.Chain + ")", Level: next.Level}
}

func (s *retrySection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Name, opts.Registerer = o.Name, o.Registerer
	return retry.New(o.Sink(s.Next), opts)
}
