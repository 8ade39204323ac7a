package flood

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/options"
)

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. When empty, the component of the next sink does.
	Component string
	// Window is how long after an event that went through others like it are
	// collapsed, and how long they wait at most for their summary to be sent, but
	// for the one that has to wait for a token; 500 ms when 0.
	Window time.Duration `yaml:"window" default:"500ms" min:"1ns" max:"1h" doc:"how long like events are collapsed into one summary"`
	// StandAlone are the kinds that are never collapsed; those of
	// DefaultStandAlone when nil, none when empty.
	StandAlone []v1alpha1.AuditKind `yaml:"standAlone" doc:"kinds that are never collapsed; credentials that were issued and admission where nothing is said, none when empty"`
	// Rate is how many events and summaries of one component go through in a
	// second, beyond Burst; 100 when 0, no limit below 0. Events that stand alone,
	// and repeats of events that went through before, are not limited.
	Rate float64 `yaml:"rate" default:"100" min:"0.001" max:"1000000000" off:"true" doc:"events and summaries of one component a second, beyond burst; negative for no limit"`
	// Burst is how many may go through at once after a calm; 1,000 when 0.
	Burst int `yaml:"burst" default:"1000" min:"1" max:"1000000" doc:"how many of them at once after a calm"`
	// Timeout of writing a summary, which has no caller's deadline; 10 s when 0.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long writing a summary may take"`
	// MaxKeys bounds the windows that are open at a time, and again the summaries
	// across runs; 4,096 when 0. Beyond the first bound events are collapsed
	// across runs, beyond the second refused with auditing.ClassFull.
	MaxKeys int `yaml:"maxKeys" default:"4096" min:"1" max:"1000000" doc:"windows that are open at a time"`
	// MaxWaiting bounds the collapsed events without an outcome; 100,000 when 0.
	// Beyond it an event that would have to wait is refused with
	// auditing.ClassFull.
	MaxWaiting int `yaml:"maxWaiting" default:"100000" min:"1" max:"10000000" doc:"collapsed events without an outcome"`
	// Remember is how many of the latest events are known again when they are
	// written a second time, about; 131,072 when 0, at 24 bytes each. A busy
	// component forgets sooner: an event that is forgotten and then written again
	// counts as new. An event that waits is always known.
	Remember int `yaml:"remember" default:"131072" min:"1" max:"10000000" doc:"events that are known again when they are written a second time"`

	// Name is the value of the label flood of the metrics. The next sink as
	// auditing.Chain prints it when empty. Sinks of one Registerer that have the
	// same name count together.
	Name string
	// Registerer takes the metrics paddock_audit_flood_* until Close. nil for none.
	Registerer prometheus.Registerer
}

// DefaultStandAlone returns the kinds that stand alone by default: a credential
// that was issued, and what admission decided. The slice is the caller's own.
func DefaultStandAlone() []v1alpha1.AuditKind {
	return []v1alpha1.AuditKind{
		v1alpha1.AuditKindCredentialIssued,
		v1alpha1.AuditKindPolicyApplied,
		v1alpha1.AuditKindPolicyRejected,
	}
}

// Validate returns everything that is wrong with the options. New asks it as well.
func (o Options) Validate() error { return o.complete() }

func (o *Options) complete() error {
	if o.StandAlone == nil {
		o.StandAlone = DefaultStandAlone()
	}
	o.StandAlone = slices.Clone(o.StandAlone) // the caller may change its own
	return options.Complete(o)
}
