package retention_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

func TestAnEventStaysForADayAfterItWasStoredWhateverItsOwnTimeIs(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	broken := event(ns, "broken-clock", "egress-allow", 0)
	broken.Spec.Timestamp.Time = time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)
	create(t, c, broken)
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	at := func(d time.Duration) retention.Options {
		return retention.Options{Now: func() time.Time { return time.Now().Add(d) }}
	}
	sum, err := newReaper(t, server.Config, policy, at(23*time.Hour)).Pass(t.Context())
	if err != nil || sum.Held != 1 || sum.Expired != 0 {
		t.Errorf("23 hours after it was stored: %+v, %v", sum, err)
	}
	sum, err = newReaper(t, server.Config, policy, at(25*time.Hour)).Pass(t.Context())
	if err != nil || sum.Held != 0 || sum.Deleted != 1 {
		t.Errorf("25 hours after it was stored: %+v, %v", sum, err)
	}
}

func TestAnEventFromTheFutureDoesNotStayForEver(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	create(t, c, event(ns, "from-the-future", "egress-allow", -1000*day))
	r := newReaper(t, server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}),
		retention.Options{Now: func() time.Time { return time.Now().Add(8 * day) }})
	if sum, err := r.Pass(t.Context()); err != nil || sum.Deleted != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestPreviewNamesExpiredEventsAndChangesNothing(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	var old []string
	for i := range 250 { // more than two pages
		old = append(old, numbered("old", i))
		create(t, c, event(ns, old[i], "egress-allow", 8*day))
	}
	create(t, c, event(ns, "young", "egress-allow", 6*day))
	var q requests
	r := newReaper(t, q.counted(server.Config), restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{})
	var named []string
	sum, err := r.Preview(t.Context(), func(ae *v1alpha1.AuditEvent) { named = append(named, ae.Name) })
	if err != nil || !slices.Equal(named, old) {
		t.Errorf("named %d events, want %d in order: %v", len(named), len(old), err)
	}
	if sum.Expired != 250 || sum.Deleted != 0 || q.deletes.Load() != 0 {
		t.Errorf("%+v with %d deletes", sum, q.deletes.Load())
	}
	same(t, names(t, c, ns), append(old, "young"))
}

// Between the list and the delete, somebody else changes, replaces or deletes
// the object.
func TestOnlyTheVeryObjectThatWasListedIsDeleted(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	create(t, c, event(ns, "changed", "egress-allow", 8*day), event(ns, "gone", "egress-allow", 8*day),
		event(ns, "replaced", "egress-allow", 8*day), event(ns, "untouched", "egress-allow", 8*day))
	var q requests
	q.before = func(req *http.Request) {
		if req.Method != http.MethodDelete {
			return
		}
		ae := &v1alpha1.AuditEvent{}
		ae.Namespace, ae.Name = ns, path.Base(req.URL.Path)
		var err error
		switch ae.Name {
		case "changed":
			err = c.Patch(t.Context(), ae, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"hold":"yes"}}}`)))
		case "gone":
			err = c.Delete(t.Context(), ae)
		case "replaced":
			err = errors.Join(c.Delete(t.Context(), ae), c.Create(t.Context(), event(ns, "replaced", "egress-allow", 8*day)))
		}
		if err != nil {
			t.Error(err)
		}
	}
	r := newReaper(t, q.counted(server.Config), restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{})
	sum, err := r.Pass(t.Context())
	if err != nil || sum.Deleted != 1 || sum.Gone != 1 || sum.Changed != 2 || sum.Overdue == 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	same(t, names(t, c, ns), []string{"changed", "replaced"})
}

func TestEventHeldByAFinalizerIsNotCountedAsDeleted(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	ae := event(ns, "held-back", "egress-allow", 8*day)
	ae.Finalizers = []string{"example.com/export"}
	create(t, c, ae)
	var q requests
	r := newReaper(t, q.counted(server.Config), restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{})
	for i := range 2 {
		sum, err := r.Pass(t.Context())
		if err != nil || sum.Terminating != 1 || sum.Deleted != 0 || q.deletes.Load() != 1 {
			t.Errorf("pass %d: %+v with %d deletes, %v", i, sum, q.deletes.Load(), err)
		}
	}
	if err := c.Patch(t.Context(), ae, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Fatal(err)
	}
}

func TestDeletesKeepToTheirRate(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	for i := range 41 {
		create(t, c, event(ns, numbered("old", i), "egress-allow", 8*day))
	}
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	policy.DeletesPerSecond = 20
	begin := time.Now()
	sum, err := newReaper(t, server.Config, policy, retention.Options{}).Pass(t.Context())
	if took := time.Since(begin); err != nil || sum.Deleted != 41 || took < 2*time.Second {
		t.Errorf("%+v in %s, want at least 2 s: %v", sum, took, err)
	}
}

func TestPassWithoutRightsNamesTheMissingVerbsAtOnce(t *testing.T) {
	server := testenv.SharedKube(t)
	_, err := newReaper(t, server.ConfigFor("nobody"), retention.Policy{}, retention.Options{}).Pass(t.Context())
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "the reaper needs the verb list on auditevents in every namespace") {
		t.Errorf("the pass: %v", err)
	}
}

// A real API server cannot be made to hang on demand.
func TestAServerThatNeverAnswersHoldsAPassNoLongerThanItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newReaper(t, &rest.Config{Host: "http://" + l.Addr().String()}, retention.Policy{}, retention.Options{})
	stop, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := r.Pass(stop); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("the pass took %s and ended with %v", time.Since(begin), err)
	}
}
