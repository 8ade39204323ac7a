// Command egressproxy is a forward proxy with an allow list that records every
// decision before it answers.
//
//	egressproxy -listen 127.0.0.1:8080 -allow api.example.com -sink log
//	egressproxy -listen :8080 -allow api.example.com -sink loki -loki-url http://loki:3100
//	egressproxy -listen :8080 -allow api.example.com -config audit.yaml
//	egressproxy -key DIR             # leaves a key and the trust.yaml for a seal in that configuration
//	egressproxy -demo                # real requests through it, then what was recorded
//	egressproxy -demo -sink kube     # the same, into a real API server that it starts
//	egressproxy -demo -proof DIR     # the same, and leaves a sealed log and the trust.yaml that proves it
//
// proxy/proxy.go is the whole component, and scenario sends the requests of -demo. The rest chooses a destination.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/examples/egressproxy/proxy"
)

const shutdownTimeout = 10 * time.Second

type options struct {
	listen, metrics       string
	sink, config          string
	lokiURL, lokiTenant   string
	lokiServer            string
	lokiOldest            time.Duration
	allow, namespace, run string
	proof, key            string
	demo, health          bool
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
	flag.StringVar(&o.metrics, "metrics", "", "address that serves /metrics; none when empty")
	flag.StringVar(&o.sink, "sink", "log", "where decisions are recorded: "+strings.Join(sinkNames(), ", "))
	flag.StringVar(&o.config, "config", "", "audit configuration `file` that says where instead of -sink, for the component "+proxy.Component)
	flag.StringVar(&o.lokiURL, "loki-url", "", "Loki or VictoriaLogs to record to with -sink loki, such as http://loki:3100")
	flag.StringVar(&o.lokiServer, "loki-server", "loki", "what stands behind -loki-url: loki or victorialogs")
	flag.DurationVar(&o.lokiOldest, "loki-oldest", 0, "how old an event that server keeps; 168h for victorialogs when 0")
	flag.StringVar(&o.lokiTenant, "loki-tenant", "", "tenant in that server; none when empty")
	flag.StringVar(&o.allow, "allow", "", "hosts that may be reached, separated by commas")
	flag.StringVar(&o.namespace, "namespace", "default", "namespace of the events")
	flag.StringVar(&o.run, "run", "egressproxy", "run that the events belong to")
	flag.BoolVar(&o.health, "health", false, "ask the proxy that serves -metrics at that address whether it is up, end")
	flag.BoolVar(&o.demo, "demo", false, "start the destination, send requests through the proxy, show what was recorded, end")
	flag.StringVar(&o.proof, "proof", "", "`folder` in which -demo leaves audit.log, sealed, and trust.yaml for auditctl verify")
	flag.StringVar(&o.key, "key", "", "make the long-term key proxy.key and its trust.yaml in this `folder` unless they are there, end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := serve
	switch {
	case o.proof != "" && !o.demo:
		run = func(context.Context, options) error {
			return errors.New("-proof goes with -demo: seal is a stage of the file that -config names")
		}
	case o.key != "":
		run = makeKey
	case o.health:
		run = health
	case o.demo:
		run = func(ctx context.Context, o options) error { return demo(ctx, os.Stdout, o) }
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "egressproxy:", err)
		os.Exit(1) //nolint:gocritic // nothing is left for the deferred stop to undo
	}
}

// serve runs the proxy until ctx ends.
func serve(ctx context.Context, o options) (err error) {
	reg := prometheus.NewRegistry()
	if err := auditing.RegisterMetrics(reg); err != nil {
		return err
	}
	sink, closeSink, err := openSink(ctx, o, reg)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		err = errors.Join(err, closeSink(ctx))
	}()
	servers := []*http.Server{{
		Addr: o.listen, ReadHeaderTimeout: shutdownTimeout,
		Handler: proxy.New(sink, strings.Split(o.allow, ","), o.namespace, o.run, reportTo(os.Stderr)),
	}}
	if o.metrics != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
		servers = append(servers, &http.Server{Addr: o.metrics, ReadHeaderTimeout: shutdownTimeout, Handler: mux})
	}
	fmt.Fprintf(os.Stderr, "egressproxy: listening on %s, recording to %s, level %s\n", o.listen, auditing.Chain(sink), auditing.LevelOf(sink))
	return listen(ctx, servers)
}

// listen serves until ctx ends or a server fails, then lets requests finish.
func listen(ctx context.Context, servers []*http.Server) error {
	ended := make(chan error, len(servers))
	for _, s := range servers {
		go func() { ended <- s.ListenAndServe() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	for _, s := range servers {
		err = errors.Join(err, s.Shutdown(last))
	}
	return err
}

// reportTo returns what is done about an allowed request that was not recorded.
// It is called by concurrent requests; each line is one write.
func reportTo(f *os.File) func(error) {
	return func(err error) { fmt.Fprintln(f, "egressproxy: an allowed request went on unrecorded:", err) }
}
