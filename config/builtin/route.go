package builtin

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/route"
)

type routeSection struct {
	Routes        []routeEntry `yaml:"routes" required:"true" doc:"where events go: each goes to the first route that takes it"`
	route.Options `yaml:",inline"`
}

// routeEntry is a route of the file.
type routeEntry struct {
	Kinds      []string   `yaml:"kinds" doc:"the kinds that it takes, with * for any characters; all where nothing is said"`
	Decisions  []string   `yaml:"decisions" enum:"granted,denied,warned" doc:"the decisions that it takes; all where nothing is said"`
	Namespaces []string   `yaml:"namespaces" doc:"the namespaces that it takes, with * for any characters; all where nothing is said"`
	Next       config.Ref `yaml:"next" required:"true" doc:"the name of the sink to write to"`
}

func (r *routeEntry) route() route.Route {
	to := route.Route{Kinds: r.Kinds, Namespaces: r.Namespaces}
	for _, d := range r.Decisions {
		to.Decisions = append(to.Decisions, v1alpha1.AuditDecision(d))
	}
	return to
}

// sink makes the routes to what next returns for each name.
func (s *routeSection) sink(opts route.Options, next func(config.Ref) auditing.Sink) (*route.Sink, error) {
	routes := make([]route.Route, len(s.Routes))
	for i := range s.Routes {
		routes[i] = s.Routes[i].route()
		routes[i].Sink, routes[i].Place = next(s.Routes[i].Next), string(s.Routes[i].Next)
	}
	return route.New(routes, opts)
}

// Validate adds what is wrong with the routes to what the sink says of its options.
func (s *routeSection) Validate() error {
	errs := []error{s.Options.Validate()}
	for i := range s.Routes {
		to := s.Routes[i].route()
		if err := to.Check(); err != nil {
			errs = append(errs, config.At(fmt.Sprintf("routes[%d]", i), err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if _, err := s.sink(route.Options{}, planning{}.of(config.Planning{})); err != nil {
		return config.At("routes", err)
	}
	return nil
}

func (s *routeSection) Plan(p config.Planning) config.Plan {
	sink, err := s.sink(s.Options, planning{}.of(p))
	if err != nil { // which Validate tells
		return config.Plan{Chain: "route"}
	}
	return config.Plan{Chain: sink.String(), Level: sink.Level()}
}

func (s *routeSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Name, opts.Registerer = o.Name, o.Registerer
	return s.sink(opts, o.Sink)
}

// planning returns one sink for each name, as Opening does.
type planning map[config.Ref]auditing.Sink

func (known planning) of(p config.Planning) func(config.Ref) auditing.Sink {
	return func(ref config.Ref) auditing.Sink {
		if known[ref] == nil {
			known[ref] = plannedSink(p.Of(ref))
		}
		return known[ref]
	}
}
