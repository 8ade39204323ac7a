// Package builtin has the types of sinks that this module offers to a configuration.
// It is the only package that links every destination. A program that needs few of
// them adds types of its own to a config.Types.
package builtin

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/config"
)

// Option is a choice that a program makes for a type, beside what its file says.
type Option func(*options)

type options struct{ client client.Writer }

// WithKubeClient makes sinks of type kube, and the heads of seals, write through c, such
// as a manager's client, unless the file names a kubeconfig. The client must know AuditEvent
// (v1alpha1.AddToScheme), and its rest.Config should set QPS: client-go's default
// is 5 requests a second. A seal with the key token asks through c as well, which then
// has to be a client.Client that knows core/v1 and authentication.k8s.io/v1.
func WithKubeClient(c client.Writer) Option { return func(o *options) { o.client = c } }

// Types returns a new config.Types with every destination and stage of this
// module. The caller may add to it.
func Types(opts ...Option) *config.Types {
	var o options
	for _, apply := range opts {
		apply(&o)
	}
	types := &config.Types{}
	for _, t := range []config.Type{
		{Name: "flood", Doc: "collapses floods of like events into summaries", New: func() config.Section { return &floodSection{} }},
		{Name: "kube", Doc: "AuditEvent objects in the API server", New: func() config.Section { return &kubeSection{apiServer: apiServer{client: o.client}} }},
		{Name: "log", Doc: "one JSON line an event, on a standard stream or in a file that it rotates", New: func() config.Section { return &logSection{} }},
		{Name: "loki", Doc: "Grafana Loki, which confirms every event, or VictoriaLogs", New: func() config.Section { return &lokiSection{} }},
		{Name: "multi", Doc: "several sinks at once", New: func() config.Section { return &multiSection{} }},
		{Name: "otlp", Doc: "an OpenTelemetry Collector, or any other receiver of OTLP logs over HTTP", New: func() config.Section { return &otlpSection{} }},
		{Name: "retry", Doc: "writes again to the next sink while that may help", New: func() config.Section { return &retrySection{} }},
		{Name: "route", Doc: "each event to one of several sinks, by its kind, decision and namespace", New: func() config.Section { return &routeSection{} }},
		{Name: "seal", Doc: "seals events, so that an auditor can tell what was changed, removed or added", New: func() config.Section { return &sealSection{client: o.client} }},
		{Name: "spool", Doc: "stores events on the local disk before it hands them on to the next sink", New: func() config.Section { return &spoolSection{} }},
		{Name: "webhook", Doc: "an HTTP receiver of signed CloudEvents", New: func() config.Section { return &webhookSection{} }},
	} {
		if err := types.Add(t); err != nil {
			panic(err) // a mistake in this package
		}
	}
	if err := types.SetRedaction(func() config.Redaction { return &redaction{} }); err != nil {
		panic(err) // a mistake in this package
	}
	return types
}
