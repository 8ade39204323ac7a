package builtin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

type multiSection struct {
	Next          []config.Ref  `yaml:"next" required:"true" doc:"the names of the sinks to write to"`
	Require       require       `yaml:"require" doc:"which of them have to succeed: all, any, a number, or a list of names; all where nothing is said"`
	Timeout       time.Duration `yaml:"timeout" max:"10m" doc:"how long a write to one of them may take; 0s for as long as the whole"`
	multi.Options `yaml:",inline"`
}

// require is how the file writes a policy.
type require struct{ policy multi.Policy }

var errRequire = errors.New("want all, any, how many of them (at least 1), or a list of their names")

// FromYAML reads a policy.
func (r *require) FromYAML(v any) error {
	switch v := v.(type) {
	case string:
		policy, ok := map[string]multi.Policy{"all": multi.All(), "any": multi.Any()}[v]
		if !ok {
			return errRequire
		}
		r.policy = policy
	case int:
		if v < 1 {
			return errRequire
		}
		r.policy = multi.AtLeast(v)
	case []any:
		names := make([]string, len(v))
		for i, item := range v {
			names[i], _ = item.(string)
		}
		if len(names) == 0 || slices.Contains(names, "") {
			return errRequire
		}
		r.policy = multi.Named(names...)
	default:
		return errRequire
	}
	return nil
}

// JSONSchema describes a policy.
func (*require) JSONSchema() map[string]any {
	return map[string]any{"oneOf": []any{
		map[string]any{"enum": []string{"all", "any"}},
		map[string]any{"type": "integer", "minimum": 1},
		map[string]any{"type": "array", "minItems": 1, "items": map[string]any{"type": "string"}},
	}}
}

// sink makes the fan-out over the sinks that child returns for the names.
func (s *multiSection) sink(opts multi.Options, child func(config.Ref) auditing.Sink) (*multi.Sink, error) {
	children := make([]multi.Child, len(s.Next))
	for i, ref := range s.Next {
		children[i] = multi.Child{Name: string(ref), Sink: child(ref), Timeout: s.Timeout}
	}
	opts.Require = s.Require.policy
	return multi.New(children, opts)
}

// Validate joins the errors of the options of the sink and of the keys that depend on next.
func (s *multiSection) Validate() error {
	err := s.Options.Validate()
	seen := map[config.Ref]bool{}
	for _, ref := range s.Next {
		if seen[ref] {
			return errors.Join(err, config.At("next", errors.New("names a sink twice: name each once")))
		}
		seen[ref] = true
	}
	anything := func(config.Ref) auditing.Sink { return plannedSink(config.Plan{Chain: "multi"}) }
	if _, wrong := s.sink(multi.Options{}, anything); wrong != nil {
		err = errors.Join(err, config.At("require", errors.New("asks for what is not in next: want all, any, a number up to that of next, or some of its names, each once")))
	}
	return err
}

func (s *multiSection) Plan(p config.Planning) config.Plan {
	sink, err := s.sink(s.Options, func(ref config.Ref) auditing.Sink { return plannedSink(p.Of(ref)) })
	if err != nil {
		return config.Plan{Chain: "multi"}
	}
	return config.Plan{Chain: sink.String(), Level: sink.Level()}
}

func (s *multiSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.OnFailure = func(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
		o.Logger.Error("an event did not reach every sink of a fan-out", "sink", o.Name, "error", err.Error())
	}
	return s.sink(opts, o.Sink)
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
