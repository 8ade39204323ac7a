package builtin

import (
	"context"
	"path/filepath"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/spool"
)

type spoolSection struct {
	Next           config.Ref    `yaml:"next" required:"true" doc:"the name of the sink to hand events on to"`
	Dir            string        `yaml:"dir" required:"true" doc:"the directory that holds the events; of this process alone"`
	MaxBytes       int64         `yaml:"maxBytes" min:"1048576" max:"1125899906842624" doc:"bytes on the disk at which the spool is full"`
	MaxAge         time.Duration `yaml:"maxAge" max:"8760h" doc:"age of the oldest waiting event at which the spool counts as full; 0s for none"`
	WhenFull       string        `yaml:"whenFull" enum:"fail,block" doc:"what a write does then: fail at once, or wait for room until its deadline"`
	SegmentBytes   int64         `yaml:"segmentBytes" min:"1024" max:"67108864" doc:"size at which a new file is begun"`
	Parallel       int           `yaml:"parallel" min:"1" max:"1000" doc:"events on their way at once; 1 keeps their order"`
	AttemptTimeout time.Duration `yaml:"attemptTimeout" min:"1ms" max:"1h" doc:"bound of one write to the next sink"`
	MinBackoff     time.Duration `yaml:"minBackoff" min:"1ms" max:"1h" doc:"pause after the first failure; it doubles with each"`
	MaxBackoff     time.Duration `yaml:"maxBackoff" min:"1ms" max:"1h" doc:"longest pause"`
}

func newSpool() config.Section {
	return &spoolSection{
		MaxBytes: 1 << 30, WhenFull: "fail", SegmentBytes: 4 << 20, Parallel: 1, AttemptTimeout: 30 * time.Second,
		MinBackoff: 100 * time.Millisecond, MaxBackoff: 30 * time.Second,
	}
}

func (s *spoolSection) Resources(name string) []string {
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		dir = s.Dir
	}
	return []string{"spool directory " + dir, "spool metrics " + name}
}

func (s *spoolSection) Plan(p config.Planning) config.Plan {
	return config.Plan{Chain: "spool(" + p.Of(s.Next).Chain + ")", Level: auditing.LevelDurable}
}

func (s *spoolSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	full := spool.FailWhenFull
	if s.WhenFull == "block" {
		full = spool.BlockWhenFull
	}
	return spool.New(s.Dir, o.Sink(s.Next), spool.Options{
		MaxBytes: s.MaxBytes, MaxAge: s.MaxAge, WhenFull: full, SegmentBytes: s.SegmentBytes, Parallel: s.Parallel,
		AttemptTimeout: s.AttemptTimeout, MinBackoff: s.MinBackoff, MaxBackoff: s.MaxBackoff,
		Name: o.Name, Registerer: o.Registerer,
		OnFailure: func(event string, err error) {
			o.Logger.Error("the spool could not hand an event on", "sink", o.Name, "event", event, "error", err.Error())
		},
		OnDamage: func(d spool.Damage) {
			o.Logger.Error("the spool found bytes that hold no event", "sink", o.Name, "damage", d.String())
		},
	})
}
