// Command controller is a controller-runtime manager of three parts, a broker, an
// admission webhook and a controller, which each write to the sink that the file
// audit.yaml gives them. No part knows what its sink is.
//
//	controller -config audit.yaml -listen :8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

const closeTimeout = 15 * time.Second

func main() {
	path := flag.String("config", "", "audit configuration; $AUDIT_CONFIG when empty")
	listen := flag.String("listen", "127.0.0.1:8080", "address of the broker and the webhook")
	flag.Parse()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	cfg, err := ctrl.GetConfig()
	if err == nil {
		err = run(ctrl.SetupSignalHandler(), cfg, *path, *listen, logger)
	}
	if err != nil {
		logger.Error("controller", "error", err.Error())
		os.Exit(1)
	}
}

// run runs the manager until ctx ends.
func run(ctx context.Context, cfg *rest.Config, path, listen string, logger *slog.Logger) (err error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // client-go gives all writers of a config that says nothing 5 requests a second
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return err
	}
	types := builtin.Types(builtin.WithKubeClient(mgr.GetClient()))
	trail, err := config.Open(ctx, path, types, config.Deps{
		Logger: logger, Registerer: metrics.Registry,
		FailClosed: []string{"broker"}, // it issues no credential without a record
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, trail.Close(closing))
	}()
	logger.Info("audit trail", "chains", trail.String())
	if err := setUp(mgr, trail, listen); err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	return mgr.Start(ctx)
}
