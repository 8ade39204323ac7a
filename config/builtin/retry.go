package builtin

import (
	"context"
	"errors"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/retry"
)

type retrySection struct {
	Next           config.Ref    `yaml:"next" required:"true" doc:"the name of the sink to write to"`
	Within         time.Duration `yaml:"within" min:"1ms" max:"1h" doc:"bound of all attempts of one write"`
	AttemptTimeout time.Duration `yaml:"attemptTimeout" min:"1ms" max:"1h" doc:"bound of one attempt"`
	FirstPause     time.Duration `yaml:"firstPause" min:"1ms" max:"1h" doc:"mean of the pause after the first attempt; it doubles with each"`
	MaxPause       time.Duration `yaml:"maxPause" min:"1ms" max:"1h" doc:"longest mean of a pause"`
	MaxAttempts    int           `yaml:"maxAttempts" min:"0" max:"1000000" doc:"attempts of one write at most; 0 for as many as there is time for"`
}

func newRetry() config.Section {
	return &retrySection{
		Within: 30 * time.Second, AttemptTimeout: 5 * time.Second, FirstPause: 100 * time.Millisecond, MaxPause: 5 * time.Second,
	}
}

func (s *retrySection) Validate() error {
	if s.FirstPause > s.MaxPause {
		return config.At("maxPause", errors.New("must be at least firstPause"))
	}
	return nil
}

func (s *retrySection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	return config.Plan{Chain: "retry(" + next.Chain + ")", Level: next.Level}
}

func (s *retrySection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	return retry.New(o.Sink(s.Next), retry.Options{
		Within: s.Within, AttemptTimeout: s.AttemptTimeout, FirstPause: s.FirstPause, MaxPause: s.MaxPause, MaxAttempts: s.MaxAttempts,
		Name: o.Name, Registerer: o.Registerer,
	})
}
