package flood

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	defaultWindow     = 500 * time.Millisecond
	defaultRate       = 100
	defaultBurst      = 1000
	defaultTimeout    = 10 * time.Second
	defaultMaxKeys    = 4096
	defaultMaxWaiting = 100_000
	defaultRemember   = 1 << 17
)

// Options of New. The zero value is valid.
type Options struct {
	// Component, when not empty, becomes the label paddock.dev/component of every
	// event. It must be a label value. When empty, that of the next sink does.
	Component string
	// Window is how long after an event that went through others like it are
	// collapsed, and how long they wait at most for their summary to be sent, but
	// for the one that has to wait for a token; 500 ms when 0.
	Window time.Duration
	// StandAlone are the kinds that are never collapsed; those of
	// DefaultStandAlone when nil, none when empty.
	StandAlone []v1alpha1.AuditKind
	// Rate is how many events and summaries of one component go through in a
	// second, beyond Burst; 100 when 0, no limit below 0. Events that stand alone,
	// and repeats of events that went through before, are not limited.
	Rate float64
	// Burst is how many may go through at once after a calm; 1,000 when 0.
	Burst int
	// Timeout of writing a summary, which has no caller's deadline; 10 s when 0.
	Timeout time.Duration
	// MaxKeys bounds the windows that are open at a time, and again the summaries
	// across runs; 4,096 when 0. Beyond the first bound events are collapsed
	// across runs, beyond the second refused with auditing.ClassFull.
	MaxKeys int
	// MaxWaiting bounds the collapsed events without an outcome; 100,000 when 0.
	// Beyond it an event that would have to wait is refused with
	// auditing.ClassFull.
	MaxWaiting int
	// Remember is how many of the latest events are known again when they are
	// written a second time, about; 131,072 when 0, at 24 bytes each. A busy
	// component forgets sooner: an event that is forgotten and then written again
	// counts as new. An event that waits is always known.
	Remember int

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

func (o *Options) complete() error {
	if o.Window < 0 || o.Timeout < 0 || o.Burst < 0 || o.MaxKeys < 0 || o.MaxWaiting < 0 || o.Remember < 0 {
		return errors.New("flood: Window, Timeout, Burst, MaxKeys, MaxWaiting and Remember must be at least 0")
	}
	if math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		return errors.New("flood: Rate must be a number of events a second, below 0 for no limit")
	}
	if o.StandAlone == nil {
		o.StandAlone = DefaultStandAlone()
	} else {
		o.StandAlone = slices.Clone(o.StandAlone)
	}
	standard(&o.Window, defaultWindow)
	standard(&o.Rate, defaultRate)
	standard(&o.Burst, defaultBurst)
	standard(&o.Timeout, defaultTimeout)
	standard(&o.MaxKeys, defaultMaxKeys)
	standard(&o.MaxWaiting, defaultMaxWaiting)
	standard(&o.Remember, defaultRemember)
	return nil
}

func standard[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

func (o *Options) limiter() *rate.Limiter {
	if o.Rate < 0 {
		return rate.NewLimiter(rate.Inf, o.Burst)
	}
	return rate.NewLimiter(rate.Limit(o.Rate), o.Burst)
}
