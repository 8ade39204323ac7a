package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/retention"
)

// group is one line of the table.
type group struct {
	namespace string
	kind      v1alpha1.AuditKind
}

// tally counts the events of a group that would be deleted.
type tally struct {
	events int
	oldest time.Time
	sample string // the name of the oldest
}

// dryRun prints what a pass would delete.
func (p program) dryRun(ctx context.Context, cfg *rest.Config, policy retention.Policy, opts retention.Options) error {
	reaper, err := retention.New(cfg, policy, opts)
	if err != nil {
		return err
	}
	groups := map[group]tally{}
	sum, err := reaper.Preview(ctx, func(ae *v1alpha1.AuditEvent) {
		g := group{ae.Namespace, ae.Spec.Kind}
		t := groups[g]
		if at := auditing.EventTime(ae); t.events == 0 || at.Before(t.oldest) {
			t.oldest, t.sample = at, ae.Name
		}
		t.events++
		groups[g] = t
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	if len(groups) > 0 {
		_, _ = fmt.Fprintln(w, "NAMESPACE\tKIND\tEVENTS\tOLDEST\tSAMPLE")
	}
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.kind, b.kind))
	}) {
		t := groups[g]
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", g.namespace, g.kind, t.events, t.oldest.UTC().Format(time.RFC3339), t.sample)
	}
	_, _ = fmt.Fprintf(w, "%d of %d events would go.\n", sum.Expired-sum.Terminating, sum.Seen)
	if sum.Terminating > 0 {
		_, _ = fmt.Fprintf(w, "%d are being deleted already and wait for a finalizer.\n", sum.Terminating)
	}
	if sum.Held > 0 {
		_, _ = fmt.Fprintf(w, "%d are old enough and stay until %s after they were stored.\n", sum.Held, retention.MinKeep)
	}
	return w.Flush()
}
