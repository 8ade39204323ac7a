package retention

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/auditing"
)

const (
	// claimName is the name of the Lease.
	claimName = "audit-reaper-policy"
	// claimAnnotation of the Lease holds the policy, a line for each rule.
	claimAnnotation = "paddock.dev/retention"
	// maxClaimText is more than a policy that people write, and less than an object may
	// have in annotations. Of a longer one the Lease holds the hash.
	maxClaimText = 64 << 10
)

// claimRenewal is how often the Lease is renewed. It is free when it was not renewed for
// three times as long. The clocks of other machines do not matter for that: each reaper
// measures how long it sees the Lease unchanged.
var claimRenewal = 10 * time.Second

// claim says in the cluster by which policy events are reaped. Reapers of the same policy
// hold it together: they delete the same events.
type claim struct {
	key            client.ObjectKey // of the Lease; its namespace is empty where there is no claim
	policy, holder string
	renewal        time.Duration
}

func newClaim(p Policy, o *Options) claim {
	holder, err := os.Hostname()
	if err != nil {
		holder = "unknown"
	}
	return claim{
		key: client.ObjectKey{Namespace: o.Namespace, Name: claimName}, renewal: claimRenewal,
		holder: holder, policy: claimText(p, o),
	}
}

// claimText is what two reapers of the same events must have in common.
func claimText(p Policy, o *Options) string {
	lines := []string{"default: " + keep(p.Default).String()}
	for _, r := range p.Rules {
		lines = append(lines, fmt.Sprintf("namespace %q, kind %q: %s", r.Namespace, r.Kind, keep(r.Keep)))
	}
	if o.Archive != nil {
		lines = append(lines, "archive: "+auditing.Chain(o.Archive))
	}
	if o.Tombstones != nil {
		lines = append(lines, fmt.Sprintf("tombstones: %s, of %s", auditing.Chain(o.Tombstones), o.Place))
	}
	slices.Sort(lines)
	text := strings.Join(lines, "\n")
	if len(text) > maxClaimText {
		return fmt.Sprintf("%d lines with the SHA-256 %x", len(lines), sha256.Sum256([]byte(text)))
	}
	return text
}

// Claim claims the events for the policy until ctx ends, and returns nil then, or an error
// when a reaper with another policy holds them (see Options.Namespace). Start and Pass
// claim them as well. Where a manager starts the reaper in one of several replicas, let
// the manager run Claim in each of them: a replica that only stands by learns in this way
// that its policy is another one.
func (r *Reaper) Claim(ctx context.Context) error {
	return r.claimedUntilEnd(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

// claimedUntilEnd calls do as claimed does, and goes on when the API server is away.
func (r *Reaper) claimedUntilEnd(ctx context.Context, do func(context.Context) error) error {
	for {
		err := r.claimed(ctx, do)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // a stop is no failure
		}
		if silent := (*noAnswerError)(nil); !errors.As(err, &silent) {
			return err
		}
	}
}

// claimed calls do while the events are claimed. It ends the context of do when a reaper
// with another policy has taken them over.
func (r *Reaper) claimed(ctx context.Context, do func(context.Context) error) error {
	if r.claim.key.Namespace == "" {
		return do(ctx)
	}
	if err := r.takeClaim(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	keeping, done := context.WithCancel(ctx)
	group.Go(func() error {
		defer done()
		return do(ctx)
	})
	group.Go(func() error { return r.keepClaim(keeping) })
	return group.Wait()
}

// takeClaim returns when the events are claimed. It waits while the Lease of another
// policy may be that of a reaper which has ended, and fails when that is renewed. The
// wait is long enough for a rollout that replaces the other reaper.
func (r *Reaper) takeClaim(ctx context.Context) error {
	begin := time.Now()
	unchanged, version, versions := begin, "", 0
	for logged := false; ; {
		lease, err := r.readClaim(ctx)
		if err != nil {
			return err
		}
		if versions == 0 || lease.ResourceVersion != version {
			unchanged, version, versions = time.Now(), lease.ResourceVersion, versions+1
		}
		other := r.otherPolicy(lease)
		switch {
		case other == nil, time.Since(unchanged) >= 3*r.claim.renewal:
			if written, err := r.writeClaim(ctx, lease); written || err != nil {
				return err
			}
		case versions > 1 && time.Since(begin) >= r.claim.renewal*3/2:
			return other
		case !logged:
			logged = true
			r.logger.InfoContext(ctx, "waiting for the end of a reaper with another policy", "reason", other.Error())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("retention: claiming the events: %w", ctx.Err())
		case <-time.After(r.claim.renewal / 10):
		}
	}
}

// keepClaim renews the Lease until ctx ends. It fails when another policy took it over. A
// renewal that fails does not end the reaper: without the API server it deletes nothing.
func (r *Reaper) keepClaim(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.claim.renewal):
		}
		lease, err := r.readClaim(ctx)
		if err == nil {
			if err := r.otherPolicy(lease); err != nil {
				return err
			}
			_, err = r.writeClaim(ctx, lease)
		}
		if err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "the lease was not renewed", "lease", r.claim.key.String(), "error", err.Error())
		}
	}
}

// readClaim returns the Lease, or an empty one where there is none.
func (r *Reaper) readClaim(ctx context.Context) (*coordinationv1.Lease, error) {
	var lease coordinationv1.Lease
	err := r.try(ctx, opClaim, func(ctx context.Context) error { return r.client.Get(ctx, r.claim.key, &lease) })
	if err != nil && !isGone(err) {
		return nil, fmt.Errorf("retention: claiming the events: %w", err)
	}
	return &lease, nil
}

// writeClaim writes the Lease. It returns false when somebody else has written it since it
// was read. An API server that is full takes deletes and no Lease: there the reaper is
// needed most, and goes on.
func (r *Reaper) writeClaim(ctx context.Context, lease *coordinationv1.Lease) (written bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	now := metav1.NowMicro()
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[claimAnnotation] = r.claim.policy
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = &r.claim.holder, &now
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(max(3*r.claim.renewal/time.Second, 1)))
	write := func() error { return r.client.Update(ctx, lease) }
	if lease.ResourceVersion == "" {
		lease.Namespace, lease.Name = r.claim.key.Namespace, r.claim.key.Name
		write = func() error { return r.client.Create(ctx, lease) }
	}
	switch err = write(); {
	case err == nil:
		return true, nil
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return false, nil
	case apierrors.IsNotFound(err) && lease.ResourceVersion == "":
		return false, fmt.Errorf("retention: claiming the events: %w: name the namespace of the reaper", err)
	case isRefused(err):
		return false, fmt.Errorf("retention: claiming the events: %w", explain(err, opClaim))
	case ctx.Err() == nil:
		r.metrics.failures.WithLabelValues(opClaim).Inc()
		r.logger.WarnContext(ctx, "the lease was not written, so a reaper with another policy will not be told apart",
			"lease", r.claim.key.String(), "error", err.Error())
	}
	return true, ctx.Err()
}

// otherPolicy returns an error when the Lease is that of another policy.
func (r *Reaper) otherPolicy(lease *coordinationv1.Lease) error {
	theirs := lease.Annotations[claimAnnotation]
	if lease.ResourceVersion == "" || theirs == r.claim.policy {
		return nil
	}
	return fmt.Errorf("retention: the reaper %q deletes the same events by another policy: it has %s, and this one has %s: "+
		"end one of the two, or give both the same policy (lease %s)", ptr.Deref(lease.Spec.HolderIdentity, ""),
		linesWithout(theirs, r.claim.policy), linesWithout(r.claim.policy, theirs), r.claim.key)
}

// linesWithout quotes the first lines of a text that another does not have.
func linesWithout(text, other string) string {
	const most = 5
	others := strings.Split(other, "\n")
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !slices.Contains(others, line) {
			lines = append(lines, fmt.Sprintf("%q", line))
		}
	}
	switch n := len(lines); {
	case n == 0:
		return "nothing beyond that"
	case n > most:
		return strings.Join(lines[:most], ", ") + fmt.Sprintf(" and %d lines more", n-most)
	}
	return strings.Join(lines, ", ")
}
