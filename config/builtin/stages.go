package builtin

import (
	"context"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/paths"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/spool"
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

type spoolSection struct {
	Next config.Ref `yaml:"next" required:"true" doc:"the name of the sink to hand events on to"`
	Dir  string     `yaml:"dir" required:"true" doc:"the directory that holds the events; of this process alone"`

	spool.Options `yaml:",inline"`
}

func (s *spoolSection) Resources(name string) []string {
	return []string{"spool directory " + paths.Resolve(s.Dir), "spool metrics " + name}
}

// Place implements config.Storing.
func (s *spoolSection) Place() any { return SpoolPlace{s.Dir} }

func (s *spoolSection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	plan := config.Plan{Chain: "spool(" + next.Chain + ")", Level: auditing.LevelDurable}
	if next.Level < auditing.LevelDurable {
		plan.Warning = fmt.Sprintf("forgets an event as soon as %s is done with it, at level %s only: what is lost behind that is lost, "+
			"although the spool is durable: set level at the sink behind it, where its server keeps what it confirms", next.Chain, next.Level)
	}
	return plan
}

func (s *spoolSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Place = string(s.Next)
	opts.Name, opts.Registerer = o.Name, o.Registerer
	opts.OnFailure = func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		event := ""
		if ae != nil {
			event = ae.Namespace + "/" + ae.Name
		}
		o.Logger.Error("the spool could not hand an event on", "sink", o.Name, "event", event, "error", err.Error())
	}
	opts.OnDamage = func(d spool.Damage) {
		o.Logger.Error("the spool found bytes that hold no event", "sink", o.Name, "damage", d.String())
	}
	return spool.New(s.Dir, o.Sink(s.Next), opts)
}
