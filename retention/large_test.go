package retention_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

func TestEventsOfTheLargestSizeFitIntoTheSameMemory(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	const n = 100 // more than two pages
	for i := range n {
		ae := event(ns, numbered("large", i), "egress-allow", 8*day)
		ae.Spec.Detail = map[string]string{}
		for k := range v1alpha1.MaxDetailEntries {
			ae.Spec.Detail[fmt.Sprintf("%0*d", v1alpha1.MaxDetailKeyLength, k)] = strings.Repeat("x", v1alpha1.MaxDetailValueLength)
		}
		create(t, c, ae)
	}
	out := toTheEnd(t, orderFor(server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})))
	t.Logf("%d deleted, heap at most %.1f MiB, resident at most %.1f MiB", out.Summary.Deleted, float64(out.PeakHeap)/(1<<20), float64(out.PeakRSS)/(1<<20))
	if out.Summary.Deleted != n || out.PeakHeap >= mostHeap {
		t.Errorf("%d deleted, the heap took %d bytes, want fewer than %d", out.Summary.Deleted, out.PeakHeap, mostHeap)
	}
	same(t, names(t, c, ns), nil)
}
