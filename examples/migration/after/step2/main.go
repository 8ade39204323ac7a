// Command broker issues credentials over HTTP and records each decision where audit.yaml says.
//
//	broker -config audit.yaml -listen 127.0.0.1:8080
//	curl -X POST 'http://127.0.0.1:8080/credential?namespace=team-a&run=hr-1&name=DEMO_TOKEN'
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/paddock-dev/audit/adapters/audithttp"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

const component = "broker"

func main() {
	path := flag.String("config", "", "audit configuration; $AUDIT_CONFIG when empty")
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *listen); err != nil {
		slog.Error(component, "error", err)
		os.Exit(1) //nolint:gocritic // nothing is left for the deferred stop to undo
	}
}

// run serves until ctx ends, lets requests finish, then closes the trail.
func run(ctx context.Context, path, listen string) (err error) {
	registry := prometheus.NewRegistry()
	if err := auditing.RegisterMetrics(registry); err != nil {
		return err
	}
	trail, err := config.Open(ctx, path, builtin.Types(), config.Deps{Registerer: registry})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, within(trail.Close)) }()
	sink, err := trail.Lookup(component)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler(sink, registry), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return within(server.Shutdown)
	}
}

// handler serves credentials, and the metrics of registry. An event says who asked.
func handler(trail auditing.Sink, registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /credential", audithttp.Handler(
		&broker{trail: trail, policies: map[string]string{"DEMO_TOKEN": "demo-policy"}}, audithttp.Options{}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func within(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return f(ctx)
}
