// Command broker issues credentials over HTTP and records each decision in the API server.
//
//	broker -listen 127.0.0.1:8080
//	curl -X POST 'http://127.0.0.1:8080/credential?namespace=team-a&run=hr-1&name=DEMO_TOKEN'
package main

import (
	"flag"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	paddockv1alpha1 "github.com/paddock-dev/audit/examples/migration/before/api/v1alpha1"
	"github.com/paddock-dev/audit/examples/migration/before/auditing"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		slog.Error("broker", "error", err)
		os.Exit(1)
	}
}

func run(listen string) error {
	cfg, err := clientconfig.GetConfig()
	if err != nil {
		return err
	}
	h, err := handler(cfg)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// handler serves credentials, and metrics. It records in the API server of cfg.
func handler(cfg *rest.Config) (http.Handler, error) {
	scheme := runtime.NewScheme()
	if err := paddockv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /credential", &broker{
		trail:    &auditing.KubeSink{Client: c, Component: "broker"},
		policies: map[string]string{"DEMO_TOKEN": "demo-policy"},
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	return mux, nil
}
