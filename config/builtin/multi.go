package builtin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

type multiSection struct {
	Next             []config.Ref  `yaml:"next" required:"true" doc:"the names of the sinks to write to"`
	Require          require       `yaml:"require" doc:"which of them have to succeed: all, any, a number, or a list of names; all where nothing is said"`
	ChildTimeout     time.Duration `yaml:"childTimeout" max:"10m" doc:"how long a write to one of them may take; as long as the whole when 0s"`
	StragglerTimeout time.Duration `yaml:"stragglerTimeout" min:"1ms" max:"1h" doc:"how long one may go on after the others were enough, where there is no other deadline"`
	MaxStragglers    int           `yaml:"maxStragglers" min:"1" max:"1000000" doc:"how many such writes one of them may have"`
}

func newMulti() config.Section {
	return &multiSection{StragglerTimeout: 30 * time.Second, MaxStragglers: 1024}
}

// require is how the file writes a policy.
type require struct{ policy multi.Policy }

var errRequire = errors.New("want all, any, how many of them (at least 1), or a list of their names")

// FromYAML reads a policy.
func (r *require) FromYAML(v any) error {
	switch v := v.(type) {
	case string:
		switch v {
		case "all":
			r.policy = multi.All()
			return nil
		case "any":
			r.policy = multi.Any()
			return nil
		}
	case int:
		if v >= 1 {
			r.policy = multi.AtLeast(v)
			return nil
		}
	case []any:
		var names []string
		for _, item := range v {
			name, ok := item.(string)
			if !ok {
				return errRequire
			}
			names = append(names, name)
		}
		if len(names) > 0 {
			r.policy = multi.Named(names...)
			return nil
		}
	}
	return errRequire
}

// JSONSchema describes a policy.
func (*require) JSONSchema() map[string]any {
	return map[string]any{"oneOf": []any{
		map[string]any{"enum": []string{"all", "any"}},
		map[string]any{"type": "integer", "minimum": 1},
		map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "string"}},
	}}
}

func (s *multiSection) sink(child func(config.Ref) auditing.Sink, onFailure func(child, event string, err error)) (*multi.Sink, error) {
	children := make([]multi.Child, len(s.Next))
	for i, ref := range s.Next {
		children[i] = multi.Child{Name: string(ref), Sink: child(ref), Timeout: s.ChildTimeout}
	}
	return multi.New(children, multi.Options{
		Require: s.Require.policy, StragglerTimeout: s.StragglerTimeout, MaxStragglers: s.MaxStragglers, OnFailure: onFailure,
	})
}

func (s *multiSection) Validate() error {
	seen := map[config.Ref]bool{}
	for _, ref := range s.Next {
		if seen[ref] {
			return config.At("next", errors.New("names a sink twice: name each once"))
		}
		seen[ref] = true
	}
	if _, err := s.sink(func(config.Ref) auditing.Sink { return plannedSink(config.Plan{Chain: "multi"}) }, nil); err != nil {
		return config.At("require", errors.New("asks for what is not in next: want all, any, a number up to that of next, or some of its names, each once"))
	}
	return nil
}

func (s *multiSection) Plan(p config.Planning) config.Plan {
	sink, err := s.sink(func(ref config.Ref) auditing.Sink { return plannedSink(p.Of(ref)) }, nil)
	if err != nil {
		return config.Plan{Chain: "multi"}
	}
	return config.Plan{Chain: sink.String(), Level: sink.Level()}
}

func (s *multiSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	return s.sink(o.Sink, func(child, event string, err error) {
		o.Logger.Error("an event did not reach every sink of a fan-out", "sink", o.Name, "child", child, "event", event, "error", err.Error())
	})
}

// planned stands for a sink before anything is open, so that a stage can compute its
// level and its chain.
type planned struct {
	driver.Base

	plan config.Plan
}

func plannedSink(p config.Plan) auditing.Sink { return driver.New(planned{plan: p}) }

// Info has the name that the sink will have: every name shows in the metrics.
func (p planned) Info() driver.Info {
	name, _, _ := strings.Cut(p.plan.Chain, "(")
	return driver.Info{Name: name, Chain: p.plan.Chain, Level: p.plan.Level}
}

func (p planned) Store(_ context.Context, events []*driver.Event) []error {
	return driver.All(len(events), fmt.Errorf("%s is not open", p.plan.Chain))
}
