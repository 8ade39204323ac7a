package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/retention"
)

const metricPrefix = "paddock_audit_"

// family is a metric as the page shows it.
type family struct {
	name, kind, help string
	labels           []string
}

// gather opens everything that has metrics, writes one event through it, and
// returns what a registry then shows, by name.
func gather(ctx context.Context) (families []family, err error) {
	reg := &registry{Registry: prometheus.NewPedanticRegistry(), described: map[string]bool{}}
	if err := auditing.RegisterMetrics(reg); err != nil {
		return nil, err
	}
	if _, err := retention.New(&rest.Config{Host: "http://127.0.0.1"}, retention.Policy{}, retention.Options{Registerer: reg}); err != nil {
		return nil, err
	}
	trail, closeTrail, err := openTrail(ctx, reg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeTrail()) }()
	// It takes a write to make the series of a write.
	if err := trail.For("docs").Write(ctx, auditing.NewEgressBlock(auditing.EgressInput{Namespace: "docs", Host: "example.com"})); err != nil {
		return nil, err
	}
	return reg.families()
}

// openTrail opens a configuration with every destination and stage that has
// metrics. Its Loki is a server that confirms everything: what it stores does
// not matter here.
func openTrail(ctx context.Context, reg prometheus.Registerer) (trail *config.Trail, closeTrail func() error, err error) {
	dir, err := os.MkdirTemp("", "metricsdoc-")
	if err != nil {
		return nil, nil, err
	}
	lake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	cleanup := func() error {
		lake.Close()
		return os.RemoveAll(dir)
	}
	path := filepath.Join(dir, "audit.yaml")
	text := fmt.Sprintf(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  ways: {type: route, routes: [{next: calm}], rest: drop}
  calm: {type: flood, next: disk}
  sealed: {type: seal, next: lake}
  disk: {type: spool, next: again, dir: %[1]q}
  again: {type: retry, next: lake}
  hook: {type: webhook, url: %[2]q, check: skip}
  lake: {type: loki, url: %[2]q, proveEvery: -1s, check: skip}
  collector: {type: otlp, url: %[2]q, check: skip}
components:
  docs: {sink: ways, onFailure: closed}
  far: {sink: collector, onFailure: open}
  proven: {sink: sealed, onFailure: closed}
  told: {sink: hook, onFailure: open}
`, filepath.Join(dir, "spool"), lake.URL)
	if err = os.WriteFile(path, []byte(text), 0o600); err == nil {
		trail, err = config.Open(ctx, path, builtin.Types(), config.Deps{Registerer: reg, Static: true, Logger: slog.New(slog.DiscardHandler)})
	}
	if err != nil {
		return nil, nil, errors.Join(err, cleanup())
	}
	return trail, func() error { return errors.Join(trail.Close(ctx), cleanup()) }, nil
}

// registry notes what its collectors describe, so that a metric without a series
// is missed.
type registry struct {
	*prometheus.Registry

	described map[string]bool
}

// nameOfDesc finds the name in the text of a Desc, which has no method for it.
var nameOfDesc = regexp.MustCompile(`fqName: "([^"]*)"`)

// Register registers c.
func (r *registry) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	var failed error
	for d := range descs {
		name := nameOfDesc.FindStringSubmatch(d.String())
		if name == nil {
			failed = fmt.Errorf("no name in %s", d)
			continue
		}
		r.described[name[1]] = true
	}
	return errors.Join(failed, r.Registry.Register(c))
}

// families returns what is registered, by name. Every metric must have a series:
// its type and its labels are read from there.
func (r *registry) families() ([]family, error) {
	gathered, err := r.Gather()
	if err != nil {
		return nil, err
	}
	var families []family
	for _, f := range gathered {
		delete(r.described, f.GetName())
		if !strings.HasPrefix(f.GetName(), metricPrefix) {
			return nil, fmt.Errorf("the name of metric %s does not begin with %s", f.GetName(), metricPrefix)
		}
		families = append(families, familyOf(f))
	}
	for name := range r.described {
		err = errors.Join(err, fmt.Errorf("metric %s has no series: let gather do what makes one", name))
	}
	slices.SortFunc(families, func(a, b family) int { return strings.Compare(a.name, b.name) })
	return families, err
}

// familyOf reads what the page shows off a family with at least one series.
func familyOf(f *dto.MetricFamily) family {
	var labels []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		labels = append(labels, l.GetName())
	}
	slices.Sort(labels)
	return family{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), labels: labels}
}
