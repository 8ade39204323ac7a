package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/loki"
)

// loadConfig reads a configuration, and prints its warnings.
func loadConfig(env *environment, path string) (*config.File, error) {
	f, err := config.Load(path, builtin.Types())
	if err != nil {
		return nil, err
	}
	for _, w := range f.Warnings() {
		printError(env, fmt.Errorf("warning: %s", w))
	}
	return f, nil
}

// configured returns a source for each sink of the configuration that --from and names name,
// and for those behind them. Without any name it reads all that components use.
func (s *sources) configured(names []string) (all []reading.Source, err error) {
	names = slices.Concat(s.from, names)
	switch {
	case s.config == "" && len(names) > 0:
		return nil, misuse(s.cmd, errors.New("--from names sinks of a configuration: give its file with --config as well"))
	case s.config == "":
		return nil, nil
	}
	f, err := loadConfig(s.env, s.config)
	if err != nil {
		return nil, &exitError{misused, err}
	}
	places, err := s.places(f, names)
	if err != nil {
		return nil, misuse(s.cmd, err)
	}
	var left []string
	for _, p := range places {
		if reason := s.unreadable(p); reason != "" {
			left = append(left, fmt.Sprintf("%s (%s %s)", p.Sink, p.Chain, reason))
			continue
		}
		source, err := s.sourceOf(p)
		if err != nil { // of what the file names: the others can be read
			source = &broken{p.Sink, err}
		}
		all = append(all, source)
	}
	if len(left) > 0 {
		printError(s.env, fmt.Errorf("auditctl: not read: %s", strings.Join(left, ", ")))
	}
	return all, nil
}

// places returns the places behind the sinks of these names. When nothing behind a sink can
// be read, the error says which sink it is.
func (s *sources) places(f *config.File, names []string) ([]config.Place, error) {
	readable := func(p config.Place) bool { return s.unreadable(p) == "" }
	for _, name := range names {
		found, err := f.Places(name)
		if err != nil {
			if _, missing := os.Stat(name); missing == nil {
				err = fmt.Errorf("%w; beside --config, the file of that name is ./%s", err, name)
			}
			return nil, err
		}
		if !slices.ContainsFunc(found, readable) {
			return nil, fmt.Errorf("the sink %s cannot be read: %s %s", name, found[0].Chain, s.unreadable(found[0]))
		}
	}
	all, err := f.Places(names...)
	if err == nil && !slices.ContainsFunc(all, readable) {
		err = fmt.Errorf("%s: no sink that components use can be read: name another source", s.config)
	}
	return all, err
}

// unreadable says why a place cannot be read; "" when it can.
func (s *sources) unreadable(p config.Place) string {
	switch p.Where.(type) {
	case nil:
		return "keeps no events"
	case builtin.SpoolPlace:
		if s.following {
			return "cannot be followed"
		}
	case builtin.KubePlace, builtin.LogPlace, builtin.LokiPlace:
	default:
		return "is of a type that auditctl does not know"
	}
	return ""
}

// sourceOf returns the source of a place that can be read.
func (s *sources) sourceOf(p config.Place) (reading.Source, error) {
	switch where := p.Where.(type) {
	case builtin.KubePlace:
		if where.Kubeconfig == "" && s.kubectlAsked() {
			s.kubectlUsed = true
			return s.cluster(p.Sink)
		}
		cfg, err := where.RESTConfig()
		if err != nil {
			return nil, fmt.Errorf("finding the API server: %w", err)
		}
		cfg.QPS = 0 // what controller-runtime sets is meant for a program that runs on
		return kubesource.New(p.Sink, cfg, kubesource.Options{})
	case builtin.LokiPlace:
		o := where.Options
		if o.Server == loki.ServerVictoriaLogs {
			return vlsource.New(p.Sink, where.URL, vlsource.Options{ServiceName: o.ServiceName, Labels: o.Labels, TenantID: o.TenantID, HTTP: o.HTTP, Overlap: s.overlap})
		}
		return lokisource.New(p.Sink, where.URL, lokisource.Options{ServiceName: o.ServiceName, Labels: o.Labels, TenantID: o.TenantID, HTTP: o.HTTP, Overlap: s.overlap})
	case builtin.SpoolPlace:
		return s.spool(p.Sink, where.Dir), nil
	case builtin.LogPlace:
		path := where.Path
		if path == stdin {
			path = "./" + path
		}
		return reading.Files(p.Sink, path), nil
	}
	return nil, fmt.Errorf("%s %s", p.Chain, cmp.Or(s.unreadable(p), "cannot be read"))
}

// broken is a source that could not be made. Reading it is its failure.
type broken struct {
	name string
	err  error
}

// Name implements reading.Source.
func (b *broken) Name() string { return b.name }

// Read implements reading.Source.
func (b *broken) Read(context.Context, *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) { yield(nil, b.err) }
}

// Follow implements reading.Follower.
func (b *broken) Follow(ctx context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return b.Read(ctx, q)
}

// completeSinks offers the names of the sinks of --config.
func (s *sources) completeSinks(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	f, err := config.Load(s.config, builtin.Types())
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return f.SinkNames(), cobra.ShellCompDirectiveDefault
}
