package seal

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/options"
)

// Options of New.
type Options struct {
	// Component whose trail it is: the label paddock.dev/component of every event. That of
	// the next sink when empty; one of both is required.
	Component string
	// Cluster is the first part of the trail's origin, "<cluster>/<component>/<trail>". It
	// tells apart trails that one auditor reads; "default" when empty. It has no spaces and
	// none of / and +.
	Cluster string `yaml:"cluster" default:"default" doc:"first part of the origin of its trails, which tells clusters apart"`
	// Namespace of the events that hold checkpoints. Required when the next sink stores
	// objects in the API server.
	Namespace string `yaml:"namespace" doc:"namespace of the checkpoints; required where the API server stores them"`
	// Authority vouches for the key of each trail. nil for nobody: then an auditor can tell
	// what changed within a trail, and not whether the whole of it is the component's.
	Authority Authority
	// Board is where the trail learns of the heads of other trails, which its checkpoints record, and where they learn
	// of its own. nil for none: then trails tell only of those that this Sink had before. A board that is away delays no
	// write and no checkpoint; it may delay Close by Timeout.
	Board Board

	// Leaves is how many sealed events make up a checkpoint; 256 when 0.
	Leaves int `yaml:"leaves" default:"256" min:"1" max:"2000" doc:"sealed events that make up a checkpoint"`
	// Interval is how long an event waits at most for its checkpoint; 10 s when 0.
	Interval time.Duration `yaml:"interval" default:"10s" min:"1ms" max:"1h" doc:"how long an event waits at most for its checkpoint"`
	// Idle is the pause between checkpoints without new events; 10 min when 0.
	Idle time.Duration `yaml:"idle" default:"10m" min:"1ms" max:"24h" doc:"pause between checkpoints without new events"`
	// MaxAge and MaxEvents end a trail and begin the next, with another key; 24 h and 2^20
	// events when 0. While the next one cannot be opened, a trail goes on behind MaxAge.
	MaxAge    time.Duration `yaml:"maxAge" default:"24h" min:"1s" max:"720h" doc:"how long a trail lasts before the next begins"`
	MaxEvents int           `yaml:"maxEvents" default:"1048576" min:"1" max:"1048576" doc:"events of a trail before the next begins"`
	// Timeout of storing a checkpoint once, of asking the Authority once, and of an exchange with the board, which has
	// 30 s at most; 10 s when 0.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1ms" max:"10m" doc:"how long storing a checkpoint may take, and having a key vouched for"`

	// OnFailure, when not nil, hears of each failure to store a checkpoint. It also hears of those to have a key
	// vouched for, and to exchange heads with the board; then the event is nil. It is called by goroutines of
	// the sink, also by several at once.
	OnFailure func(ctx context.Context, ae *v1alpha1.AuditEvent, err error)
	// Name is the value of the label seal of the metrics. The next sink as auditing.Chain
	// prints it when empty.
	Name string
	// Registerer takes the metrics paddock_audit_seal_* until Close. nil for none.
	Registerer prometheus.Registerer

	clock func() time.Time // of the component; time.Now when nil
}

// Authority vouches for the key of a trail. It is safe for concurrent use.
type Authority interface {
	// Certify returns a certificate that binds key, the public key of a trail in the form of
	// golang.org/x/mod/sumdb/note, to the component that the key's name has in its middle. It
	// is wanted from notBefore to notAfter, and until says when it really ends: the sink asks
	// again before that. A certificate has 4,096 bytes at most.
	//
	// It is called in the background when a trail begins. After an error it is called again with
	// growing pauses of up to a minute, and the trail goes on without a certificate meanwhile. So does
	// it while a call ignores that ctx has ended, which is after Options.Timeout.
	Certify(ctx context.Context, key string, notBefore, notAfter time.Time) (certificate string, until time.Time, err error)
}

// Validate returns everything that is wrong with the options. New asks it as well.
func (o Options) Validate() error { return o.complete() }

func (o *Options) complete() error {
	err := options.Complete(o)
	if o.clock == nil {
		o.clock = time.Now
	}
	if strings.ContainsAny(o.Cluster, " \n\r\t/+") {
		err = errors.Join(err, options.At(*o, "Cluster", "has a space, a line break, / or +: give it a name such as prod-eu"))
	}
	if o.Namespace != "" && len(validation.IsDNS1123Label(o.Namespace)) > 0 {
		err = errors.Join(err, options.At(*o, "Namespace", "is no name of a namespace: want at most 63 lower-case letters, digits and dashes"))
	}
	return err
}
