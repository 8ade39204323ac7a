package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/hooks"
	"github.com/paddock-dev/audit/internal/switching"
)

// afterFailure is the longest wait for the pass after one that failed.
const afterFailure = time.Minute

// Options are what a Reaper takes beside its policy. The zero value is valid.
type Options struct {
	// Archive gets every event before it is deleted; only what it confirms goes.
	// Its level must be at least auditing.LevelDurable. It must not store into the
	// API server that is reaped: that would confirm what it has already. Closing
	// it is the caller's, after Start has returned. None when nil.
	Archive auditing.Sink
	// Tombstones gets an event for what a pass is about to delete of sealed events: which
	// indices of which trails, and why. They are deleted once it is stored and a checkpoint
	// covers it, so that auditctl verify does not call them deleted. It is a *seal.Sink of a
	// component that the auditors' trust lets reap, and writes to where auditors look for
	// events, such as the API server that is reaped. Its level must be at least
	// auditing.LevelDurable, and Namespace must be set. Sealed events then stay an hour longer
	// than the policy says, until the checkpoints that tell their age are as old. Closing it is
	// the caller's, after Start has returned. None when nil: a pass that deletes sealed events
	// logs a warning.
	Tombstones Tombstones
	// Place is what auditors call the API server: auditctl's name for it, or that of the
	// sink in the configuration that they read by. Tombstones speak of this place alone.
	// "cluster" when empty.
	Place string
	// Logger hears of every pass; slog.Default() when nil.
	Logger *slog.Logger
	// Registerer takes the metrics; none when nil.
	Registerer prometheus.Registerer
	// Namespace has the Lease audit-reaper-policy, which says by which policy events are
	// deleted: for how long they are kept, and in which archive; and the tombstones. A Reaper with another
	// policy waits up to half a minute for the end of one that works already, and then
	// refuses to. The account needs get, create and update on leases there. When empty
	// there is no Lease, and of two Reapers of a cluster the shorter retention counts.
	Namespace string
	// Now is the clock that events are held against; that of the API server when nil
	// (see MaxSkew).
	Now func() time.Time
}

// Reaper deletes expired AuditEvents. It is a manager.Runnable of
// controller-runtime that needs leader election; without a manager, call Start
// or Pass. Its methods may be called by several goroutines.
type Reaper struct {
	client   client.Client
	keeps    schedule
	claim    claim
	interval time.Duration
	limit    *rate.Limiter
	archive  auditing.Sink
	logger   *slog.Logger
	// tombstones may be nil; place is what they call the API server.
	tombstones Tombstones
	place      string
	now        func() (time.Time, error) // after an answer of the API server
	metrics    *metrics
}

// New returns a Reaper for the API server of cfg, such as a manager's
// GetConfig(). It makes a client of its own, which no cache stands behind and
// which no QPS of cfg holds back: the policy's DeletesPerSecond does. It asks
// the server nothing yet. Its account needs the verbs list and delete on
// auditevents, in every namespace.
func New(cfg *rest.Config, policy Policy, opts Options) (*Reaper, error) {
	policy = policy.defaults()
	if err := policy.validate(); err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	if err := opts.checkTombstones(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	clock := &serverClock{local: localClock}
	now := clock.now
	if opts.Now != nil {
		now = func() (t time.Time, err error) {
			err = hooks.Call("Options.Now of the reaper", func() { t = opts.Now() })
			return t, err
		}
	}
	c, err := newClient(cfg, clock)
	if err != nil {
		return nil, fmt.Errorf("retention: making a client of the API server: %w", err)
	}
	r := &Reaper{
		client:   c,
		keeps:    newSchedule(policy),
		claim:    newClaim(policy, &opts),
		interval: policy.Interval,
		limit:    rate.NewLimiter(rate.Limit(policy.DeletesPerSecond), 1),
		archive:  opts.Archive,
		logger:   hooks.Logger(opts.Logger),
		now:      now,

		tombstones: opts.Tombstones,
		place:      opts.Place,
	}
	if err := r.sinksKeep(); err != nil {
		return nil, err
	}
	r.metrics, err = newMetrics(opts.Registerer)
	return r, err
}

// localClock is the clock of this machine.
var localClock = time.Now

// newClient returns a client that makes no discovery: its two resources are known.
func newClient(cfg *rest.Config, clock *serverClock) (client.Client, error) {
	if cfg == nil {
		return nil, errors.New("the rest.Config is nil")
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.RateLimiter = -1, nil
	cfg.Wrap(switching.Refuse)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		clock.next = next
		return clock
	})
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), coordinationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion, coordinationv1.SchemeGroupVersion})
	mapper.Add(v1alpha1.GroupVersion.WithKind("AuditEvent"), meta.RESTScopeNamespace)
	mapper.Add(coordinationv1.SchemeGroupVersion.WithKind("Lease"), meta.RESTScopeNamespace)
	return client.New(cfg, client.Options{Scheme: scheme, Mapper: mapper})
}

// sinksKeep reports an archive, or a sink of tombstones, whose nil does not mean that the
// event is safe. It is asked again by every pass: a configuration can change under a sink.
func (r *Reaper) sinksKeep() error {
	if r.archive != nil {
		if err := keeps("the archive", r.archive); err != nil {
			return err
		}
	}
	if r.tombstones != nil {
		return keeps("the tombstones' sink", r.tombstones)
	}
	return nil
}

func keeps(what string, sink auditing.Sink) error {
	if level := auditing.LevelOf(sink); level < auditing.LevelDurable {
		return fmt.Errorf("retention: %s %s is at level %s: events are deleted once it confirms them, so it must be at least %s",
			what, auditing.Chain(sink), level, auditing.LevelDurable)
	}
	return nil
}

// NeedLeaderElection returns true: a manager starts the reaper in one replica.
// Two at once with the same policy would do no harm, only the same work twice.
func (r *Reaper) NeedLeaderElection() bool { return true }

// Start makes passes until ctx ends, the first at once. A pass that fails is
// logged and counted, and the next one begins within a minute. When ctx ends,
// deletes and archive writes under way have 0.3 s to be answered; Start then returns
// nil. A delete that is cut off counts as Summary.Unknown and is named in the log. An
// event whose archiving is cut off stays. It returns an error when a Reaper with another
// policy works on the same events (see Options.Namespace).
func (r *Reaper) Start(ctx context.Context) error { return r.claimedUntilEnd(ctx, r.passes) }

func (r *Reaper) passes(ctx context.Context) error {
	r.metrics.leader.Set(1)
	defer r.metrics.leader.Set(0)
	log := r.logger.With("default", r.keeps.fallback.String(), "rules", len(r.keeps.rules), "interval", r.interval.String())
	if r.archive != nil {
		log = log.With("archive", auditing.Chain(r.archive))
	}
	if r.tombstones != nil {
		log = log.With("tombstones", auditing.Chain(r.tombstones))
	}
	log.InfoContext(ctx, "reaping audit events")
	for {
		wait := r.interval
		if _, err := r.pass(ctx); err != nil {
			wait = min(wait, afterFailure)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jittered(wait)):
		}
	}
}

// jittered changes d by up to a tenth, so that reapers of many clusters that
// were installed together do not work together.
func jittered(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// due returns when the retention of ae ends by the event's own time, and when the event
// may be deleted. An own time after the time of storing counts as the time of storing:
// otherwise a component could write an event that never expires. No event is deleted
// within MinKeep after it was stored. The own time of a checkpoint never counts: what is
// before it in its trail is taken to be gone with it, and somebody could write a false one.
func (r *Reaper) due(ae *v1alpha1.AuditEvent) (own, due time.Time) {
	decided, stored := auditing.EventTime(ae), ae.CreationTimestamp.Time
	if decided.After(stored) || r.isCheckpoint(ae) {
		decided = stored
	}
	own = decided.Add(r.keep(ae))
	if _, sealed := sealOf(ae); sealed && r.tombstones != nil {
		own = own.Add(settles)
	}
	if least := stored.Add(MinKeep); own.Before(least) {
		return own, least
	}
	return own, own
}

// keep returns how long the policy keeps ae. Those in which sealed trails speak of themselves
// outlive what they speak of.
func (r *Reaper) keep(ae *v1alpha1.AuditEvent) time.Duration {
	if r.isCheckpoint(ae) {
		return r.keeps.checkpoints
	}
	return r.keeps.keep(ae.Namespace, ae.Spec.Kind)
}

// isCheckpoint reports whether ae is an event in which a sealed trail speaks of itself.
func (*Reaper) isCheckpoint(ae *v1alpha1.AuditEvent) bool {
	_, sealed := sealOf(ae)
	return sealed && canonical.IsTrail(ae.Spec.Kind)
}
