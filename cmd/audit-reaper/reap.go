package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/stopping"
	"github.com/paddock-dev/audit/internal/switching"
	"github.com/paddock-dev/audit/retention"
)

// leaseName is fixed: two reapers of one cluster must compete for the same lease.
const leaseName = "audit-reaper"

// do carries out what the flags say.
func (p program) do(ctx context.Context, o options) (err error) {
	if o.version {
		_, err := fmt.Fprintln(p.out, version())
		return err
	}
	logger := slog.New(slog.NewJSONHandler(p.errOut, nil))
	slog.SetDefault(logger) // for the report of a panic, which has no other logger
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	klog.SetSlogLogger(logger)           // in which client-go speaks of the leader's election
	ctx = logr.NewContext(ctx, ctrl.Log) // client-go takes its logger from there

	var policy retention.Policy
	if o.config != "" {
		if policy, err = retention.LoadPolicy(o.config); err != nil {
			return err
		}
	}
	cfg, err := restConfig(ctx, o.kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	opts := retention.Options{Logger: logger, Now: p.now, Namespace: o.namespace, Place: o.place}
	if o.dryRun { // which writes nothing, tombstones neither
		opts.Place = ""
		return p.dryRun(ctx, cfg, policy, opts)
	}
	if o.auditConfig != "" {
		closeSinks, failed := openSinks(ctx, o, cfg, &opts)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, closeSinks()) }()
	}
	if o.once {
		reaper, err := retention.New(cfg, policy, opts)
		if err != nil {
			return err
		}
		_, err = reaper.Pass(ctx)
		return err
	}
	return serve(ctx, cfg, policy, opts, o)
}

// serve makes passes until ctx ends; with -leader-elect only while it is the leader.
func serve(ctx context.Context, cfg *rest.Config, policy retention.Policy, opts retention.Options, o options) error {
	opts.Registerer = metrics.Registry
	reaper, err := retention.New(cfg, policy, opts)
	if err != nil {
		return err
	}
	timeout := stopping.Grace
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Metrics:                       server.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress:        o.healthAddr,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true, // the process ends with the manager
		GracefulShutdownTimeout:       &timeout,
	})
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	err = errors.Join(mgr.Add(reaper), mgr.Add(claiming{reaper}), mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping))
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	return mgr.Start(ctx)
}

// claiming holds the claim on the events in every replica, whether or not it is the leader.
type claiming struct{ *retention.Reaper }

// Start returns an error when a reaper with another policy works.
func (c claiming) Start(ctx context.Context) error { return c.Claim(ctx) }

// NeedLeaderElection returns false.
func (claiming) NeedLeaderElection() bool { return false }

// restConfig returns when ctx ends at the latest: a kubeconfig may be a FIFO.
func restConfig(ctx context.Context, path string) (*rest.Config, error) {
	found := make(chan *rest.Config, 1)
	err := driver.Await(ctx, func() error {
		find := ctrl.GetConfig
		if path != "" {
			find = func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", path) }
		}
		cfg, err := find()
		found <- cfg
		return err
	})
	if err != nil {
		return nil, err
	}
	cfg := <-found
	cfg.Wrap(switching.Refuse)
	// The reaper limits its deletes itself, and a lease must not wait behind them.
	cfg.QPS = -1
	return cfg, nil
}

// version is what the Go tool stamped into the binary.
func version() string {
	text := "audit-reaper"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	text += " " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return text + " " + info.GoVersion
}
