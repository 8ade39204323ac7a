package builtin

import (
	"fmt"
	"io"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/paddock-dev/audit/sinks/loki"
)

// KubePlace is the API server in which a sink of type kube keeps events. The zero KubePlace
// is also that of a sink that writes through the client of its program (WithKubeClient).
type KubePlace struct {
	// Kubeconfig is the path of a file; "" for the API server of the pod or of $KUBECONFIG.
	Kubeconfig string
	// Context of that file; "" for its current one.
	Context string
}

// RESTConfig returns what a client of the API server needs. It reads the kubeconfig anew.
func (p KubePlace) RESTConfig() (*rest.Config, error) {
	if p.Kubeconfig == "" {
		return ctrl.GetConfig()
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: p.Kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: p.Context}).ClientConfig()
}

// LogPlace is the file in which a sink of type log keeps events, with its backups beside it.
type LogPlace struct{ Path string }

// LokiPlace is the server in which a sink of type loki keeps events.
type LokiPlace struct {
	// URL is the address of the root of the server, or the path that a gateway puts before it.
	URL string
	// Options of the sink: Server says which kind of server it is, ServiceName and Labels how
	// the streams are labelled, TenantID and HTTP how the server is asked.
	Options loki.Options
}

// Format keeps secrets out of the output of every verb.
func (p LokiPlace) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "LokiPlace") }

// SpoolPlace is the directory in which a sink of type spool keeps the events that it has not
// handed on.
type SpoolPlace struct{ Dir string }
