package builtin

import (
	"context"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/flood"
)

type floodSection struct {
	Next       config.Ref    `yaml:"next" required:"true" doc:"the name of the sink to write to"`
	Window     time.Duration `yaml:"window" min:"1ms" max:"10m" doc:"how long like events are collapsed into one summary"`
	StandAlone []string      `yaml:"standAlone" doc:"kinds that are never collapsed; credentials that were issued and admission where nothing is said, none when empty"`
	Rate       float64       `yaml:"rate" min:"0" max:"1000000" doc:"events and summaries of one component a second, beyond burst; 0 for no limit"`
	Burst      int           `yaml:"burst" min:"1" max:"1000000" doc:"how many of them at once after a calm"`
	Timeout    time.Duration `yaml:"timeout" min:"1ms" max:"10m" doc:"how long writing a summary may take"`
	MaxKeys    int           `yaml:"maxKeys" min:"1" max:"1000000" doc:"windows that are open at a time"`
	MaxWaiting int           `yaml:"maxWaiting" min:"1" max:"10000000" doc:"collapsed events without an outcome"`
	Remember   int           `yaml:"remember" min:"1" max:"10000000" doc:"events that are known again when they are written a second time"`
}

func newFlood() config.Section {
	return &floodSection{
		Window: 500 * time.Millisecond, Rate: 100, Burst: 1000, Timeout: 10 * time.Second,
		MaxKeys: 4096, MaxWaiting: 100_000, Remember: 131_072,
	}
}

func (s *floodSection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	return config.Plan{Chain: "flood(" + next.Chain + ")", Level: next.Level}
}

func (s *floodSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	options := flood.Options{
		Window: s.Window, Rate: s.Rate, Burst: s.Burst, Timeout: s.Timeout,
		MaxKeys: s.MaxKeys, MaxWaiting: s.MaxWaiting, Remember: s.Remember,
		Name: o.Name, Registerer: o.Registerer,
	}
	if s.Rate == 0 {
		options.Rate = -1
	}
	if s.StandAlone != nil {
		options.StandAlone = make([]v1alpha1.AuditKind, len(s.StandAlone))
		for i, kind := range s.StandAlone {
			options.StandAlone[i] = v1alpha1.AuditKind(kind)
		}
	}
	return flood.New(o.Sink(s.Next), options)
}
