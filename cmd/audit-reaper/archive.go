package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/stopping"
	"github.com/paddock-dev/audit/retention"
)

const (
	// closeTimeout bounds the closing of the sinks, unless a signal leaves less.
	closeTimeout = 10 * time.Second
	// openTimeout bounds storing the checkpoint that opens the trail of the tombstones.
	openTimeout = 30 * time.Second
)

// openSinks opens the sinks that the flags name, and puts them into opts. Their file is read once:
// what is archived must not change under a pass.
func openSinks(ctx context.Context, o options, cfg *rest.Config, opts *retention.Options) (closeAll func() error, err error) {
	own, err := builtin.ClientFor(cfg, nil)
	if err != nil {
		return nil, fmt.Errorf("making a client of the API server: %w", err)
	}
	trail, err := config.Open(ctx, o.auditConfig, builtin.Types(builtin.WithKubeClient(own)),
		config.Deps{Logger: opts.Logger, Registerer: metrics.Registry, Static: true})
	if err != nil {
		return nil, fmt.Errorf("opening the sinks of %s: %w", o.auditConfig, err)
	}
	closeAll = func() error {
		closing, cancel := stopping.Context(ctx, closeTimeout)
		defer cancel()
		return trail.Close(closing)
	}
	if o.archive != "" {
		err = openArchive(trail, o.archive, opts)
	}
	if err == nil && o.tombstones != "" {
		err = openTombstones(ctx, trail, o.tombstones, opts)
	}
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	return closeAll, nil
}

var errOwnServer = errors.New("the archive must not be the API server that events are deleted from: " +
	"it would confirm what it has already; give the sink a kubeconfig of another one")

func openArchive(trail *config.Trail, name string, opts *retention.Options) (err error) {
	if opts.Archive, err = trail.Sink(name); err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	places, err := trail.Places(name)
	for _, p := range places {
		if where, is := p.Where.(builtin.KubePlace); is && where.Kubeconfig == "" {
			err = fmt.Errorf("sink %s: %w", p.Sink, errOwnServer)
		}
	}
	return err
}

// openTombstones waits for the checkpoint that opens the trail: nobody vouches for what a reaper that
// is killed before that has stored.
func openTombstones(ctx context.Context, trail *config.Trail, name string, opts *retention.Options) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	sink, err := trail.Sink(name)
	if err == nil {
		tombstones, is := sink.(retention.Tombstones)
		if !is {
			return fmt.Errorf("the sink %s cannot take tombstones", name) // which does not happen: each has Wait
		}
		opts.Tombstones = tombstones
		err = tombstones.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("opening the sink of the tombstones: %w", err)
	}
	return nil
}
