package retention_test

import (
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

func TestTheMostSpecificRuleDecides(t *testing.T) {
	server := testenv.SharedKube(t)
	c, a, b := newClient(t, server.Config), server.Namespace(t), server.Namespace(t)
	const kind, other v1alpha1.AuditKind = "kind-of-this-test", "other-kind"
	// The order is the least helpful one: the result must not depend on it.
	policy := restPolicy(
		retention.Rule{Kind: kind, Keep: 2 * day},
		retention.Rule{Namespace: a, Keep: 10 * day},
		retention.Rule{Namespace: a, Kind: kind, Keep: 20 * day},
	)
	create(t, c,
		event(a, "both-kept", kind, 19*day), event(a, "both-expired", kind, 21*day),
		event(a, "namespace-kept", other, 9*day), event(a, "namespace-expired", other, 11*day),
		event(b, "kind-kept", kind, 47*time.Hour), event(b, "kind-expired", kind, 3*day),
		event(b, "default-kept", other, 1000*day))
	if _, err := newReaper(t, server.Config, policy, retention.Options{}).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, names(t, c, a), []string{"both-kept", "namespace-kept"})
	same(t, names(t, c, b), []string{"kind-kept", "default-kept"})
}
