package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/stopping"
)

// closeTimeout bounds the closing of the archive, unless a signal leaves less.
const closeTimeout = 10 * time.Second

// openArchive opens the sink that the flags name. Its file is read once: what is
// archived must not change under a pass.
func openArchive(ctx context.Context, o options, logger *slog.Logger) (archive auditing.Sink, closeArchive func() error, err error) {
	trail, err := config.Open(ctx, o.auditConfig, builtin.Types(builtin.WithKubeClient(ownServer{})),
		config.Deps{Logger: logger, Registerer: metrics.Registry, Static: true})
	if err != nil {
		return nil, nil, fmt.Errorf("opening the archive: %w", err)
	}
	closeArchive = func() error {
		closing, cancel := stopping.Context(ctx, closeTimeout)
		defer cancel()
		return trail.Close(closing)
	}
	if archive, err = trail.Sink(o.archive); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening the archive: %w", err), closeArchive())
	}
	return archive, closeArchive, nil
}

var errOwnServer = errors.New("the archive must not be the API server that events are deleted from: " +
	"it would confirm what it has already; give the sink a kubeconfig of another one")

// ownServer is the client of sinks of type kube that name no kubeconfig.
type ownServer struct{ client.Writer }

// Create refuses.
func (ownServer) Create(context.Context, client.Object, ...client.CreateOption) error {
	return driver.Permanent(errOwnServer)
}
