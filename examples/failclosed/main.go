// Command failclosed issues credentials over HTTP, each only when its event is
// safe: where the trail fails, it answers 503 and issues nothing.
//
//	failclosed -config examples/failclosed/audit.yaml
//	curl -X POST 'http://127.0.0.1:8080/credential?namespace=team-a&run=hr-1'
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// issuer issues credentials. The file detaches its sink from the request: a client
// that hangs up while its event is being written does not keep it from the trail.
type issuer struct{ trail auditing.Sink }

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		Namespace: q.Get("namespace"), RunName: q.Get("run"), CredentialName: "DEMO_TOKEN", Provider: "demo", Reason: "asked for",
	})
	if err := i.trail.Write(r.Context(), ae); err != nil {
		fmt.Fprintln(os.Stderr, "failclosed: no record, so no credential:", err)
		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, rand.Text()) // issued only now
}

// handler issues for a POST on its own path alone.
func handler(trail auditing.Sink) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /credential", &issuer{trail: trail})
	return mux
}

const component = "broker"

func main() {
	path := flag.String("config", "", "audit configuration; $AUDIT_CONFIG when empty")
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "failclosed:", err)
		os.Exit(1) //nolint:gocritic // nothing is left for the deferred stop to undo
	}
}

// run serves until ctx ends, lets requests finish, then closes the trail.
func run(ctx context.Context, path, listen string) (err error) {
	trail, err := config.Open(ctx, path, builtin.Types(), config.Deps{FailClosed: []string{component}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, within(trail.Close)) }()
	fmt.Fprintln(os.Stderr, trail)
	sink, err := trail.Lookup(component)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler(sink), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return within(server.Shutdown)
	}
}

func within(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return f(ctx)
}
