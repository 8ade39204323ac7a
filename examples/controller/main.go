// Command controller is a controller-runtime manager of three parts, a broker, an
// admission webhook and a controller, which each write to the sink that the file
// audit.yaml gives them. No part knows what its sink is, and none says who asked: that is
// in the context of what they serve.
//
//	controller -config audit.yaml -certs /etc/webhook
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
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// closeGrace is for the manager, which waits 10 s for its parts, and then for the trail.
// terminationGracePeriodSeconds is 30 by default.
const closeGrace = 25 * time.Second

// options are the flags.
type options struct {
	config, listen, probes, metrics, certs string
	webhookPort                            int
}

func main() {
	var o options
	flag.StringVar(&o.config, "config", "", "audit configuration; $AUDIT_CONFIG when empty")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the broker")
	flag.StringVar(&o.probes, "probes", "127.0.0.1:8081", "address of /readyz")
	flag.StringVar(&o.metrics, "metrics", "127.0.0.1:8082", "address of /metrics")
	flag.IntVar(&o.webhookPort, "webhook-port", 9443, "port of the webhook")
	flag.StringVar(&o.certs, "certs", "/etc/webhook", "folder with the webhook's tls.crt and tls.key")
	flag.Parse()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	cfg, err := ctrl.GetConfig()
	if err == nil {
		err = run(ctrl.SetupSignalHandler(), cfg, o, logger)
	}
	if err != nil {
		logger.Error("controller", "error", err.Error())
		os.Exit(1)
	}
}

// run runs the manager until ctx ends.
func run(ctx context.Context, cfg *rest.Config, o options, logger *slog.Logger) error {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // client-go gives all writers of a config that says nothing 5 requests a second
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: o.metrics}, HealthProbeBindAddress: o.probes,
		WebhookServer:           webhook.NewServer(webhook.Options{Port: o.webhookPort, CertDir: o.certs}),
		GracefulShutdownTimeout: new(10 * time.Second),
	})
	if err != nil {
		return err
	}
	types := builtin.Types(builtin.WithKubeClient(mgr.GetClient()))
	trail, err := config.Open(ctx, o.config, types, config.Deps{
		Logger: logger, Registerer: metrics.Registry,
		FailClosed: []string{"broker"}, // it issues no credential without a record
	})
	if err != nil {
		return err
	}
	logger.Info("audit trail", "chains", trail.String())
	if err := setUp(mgr, trail, o.listen); err != nil {
		return errors.Join(fmt.Errorf("setting up: %w", err), trail.Close(ctx))
	}
	return auditctrl.Closing(mgr, trail, closeGrace).Start(ctx)
}
