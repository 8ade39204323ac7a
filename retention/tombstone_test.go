package retention_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/seal"
)

// auditor has the long-term key of a proxy and of a reaper, which seal into one namespace, and
// verifies what is there.
type auditor struct {
	private, public, ns string
	client              client.Client
}

func newAuditor(t *testing.T, c client.Client, ns string) *auditor {
	t.Helper()
	a := &auditor{client: c, ns: ns}
	var err error
	if a.private, a.public, err = note.GenerateKey(rand.Reader, "prod"); err != nil {
		t.Fatal(err)
	}
	return a
}

// seals returns a sink that seals the events of a component on their way to the API server.
func seals(component, ns, private string, c client.Client) (*seal.Sink, error) {
	authority, err := seal.LongTermKey(private)
	if err != nil {
		return nil, err
	}
	return seal.New(kube.Sink{Client: c}, seal.Options{
		Component: component, Cluster: "prod", Namespace: ns, Authority: authority, Interval: time.Minute, Leaves: 20, Timeout: 5 * time.Second,
	})
}

func (a *auditor) seal(t *testing.T, component string) *seal.Sink {
	t.Helper()
	s, err := seals(component, a.ns, a.private, a.client)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writes has the proxy write old events and young ones, and returns the names of the young.
func (a *auditor) writes(t *testing.T, old, young int) (names []string) {
	t.Helper()
	s := a.seal(t, "proxy")
	for i := range old + young {
		ae := event(a.ns, numbered("old", i), v1alpha1.AuditKindEgressAllow, 8*day)
		if i == old { // no checkpoint has both: their times are not those at which they are sealed
			if err := s.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i >= old {
			ae = event(a.ns, numbered("young", i), v1alpha1.AuditKindEgressAllow, 26*time.Hour)
			names = append(names, ae.Name)
		}
		if err := s.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, s)
	return names
}

func closed(t *testing.T, s *seal.Sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// stored returns the events of the auditor's namespace.
func (a *auditor) stored(t *testing.T) []v1alpha1.AuditEvent {
	t.Helper()
	var all v1alpha1.AuditEventList
	if err := a.client.List(t.Context(), &all, client.InNamespace(a.ns)); err != nil {
		t.Fatal(err)
	}
	return all.Items
}

// left returns the names of the proxy's events that are there, but for its checkpoints.
func (a *auditor) left(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, ae := range a.stored(t) {
		if ae.Spec.Kind == v1alpha1.AuditKindEgressAllow {
			names[ae.Name] = true
		}
	}
	return names
}

// tombstones returns those that are there.
func (a *auditor) tombstones(t *testing.T) (all []*trail.Tombstone) {
	t.Helper()
	for _, ae := range a.stored(t) {
		if ae.Spec.Kind == "trail-reaped" {
			one, err := trail.ParseTombstone(ae.Spec.Detail)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
	}
	return all
}

func TestReapedEventsAreNamedBeforeTheyGo(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	young := a.writes(t, 60, 3)
	create(t, c, event(ns, "unsealed", v1alpha1.AuditKindEgressAllow, 8*day))
	tombstones, archive := a.seal(t, "audit-reaper"), &refusing{}
	var q requests
	var first sync.Once
	q.before = func(r *http.Request) {
		if r.Method == http.MethodDelete && !strings.HasSuffix(r.URL.Path, "unsealed") {
			first.Do(func() {
				if len(a.tombstones(t)) != 1 {
					t.Error("an event was deleted before its tombstone was stored")
				}
			})
		}
	}
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	r := newReaper(t, q.counted(server.Config), policy, retention.Options{Archive: archive, Tombstones: tombstones, Namespace: ns})
	sum, err := r.Pass(t.Context())
	if err != nil || sum.Deleted != 61 || sum.Archived != 61 || sum.Tombstones != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	closed(t, tombstones)
	same(t, a.left(t), young)
	all := a.tombstones(t)
	if len(all) != 1 || len(all[0].Reaped) != 1 || all[0].Reaped[0].Ranges.Len() != 60 || all[0].Checkpoints ||
		all[0].Place != "cluster" || all[0].Keep != "7d" || all[0].Archive != "recorder" {
		t.Errorf("%+v", all)
	}
	if len(archive.Events()) != 61 {
		t.Errorf("%d are archived", len(archive.Events()))
	}
}

// down is a sink of tombstones that stores nothing, or whose checkpoints are not stored.
type down struct {
	refusing

	wait error
}

func (d *down) Wait(context.Context) error { return d.wait }

// accepted is a sink below level durable.
type accepted struct{ sinktest.Recorder }

func (*accepted) Wait(context.Context) error { return nil }

func TestWithoutATombstoneNothingSealedGoes(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	a.writes(t, 30, 0)
	create(t, c, event(ns, "unsealed", v1alpha1.AuditKindEgressAllow, 8*day))
	stays := a.left(t)
	delete(stays, "unsealed")
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	down := &down{wait: errors.New("no checkpoint")}
	sum, err := newReaper(t, server.Config, policy, retention.Options{Tombstones: down, Namespace: ns}).Pass(t.Context())
	if err == nil || !strings.Contains(err.Error(), "waiting for the checkpoint of a tombstone in recorder") || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("without a checkpoint: %v", err)
	}
	if sum.Failed != 30 || sum.Deleted != 1 || sum.Tombstones != 0 || sum.Overdue == 0 {
		t.Errorf("without a checkpoint: %+v", sum)
	}
	same(t, a.left(t), slices.Collect(maps.Keys(stays)))
	for want, o := range map[string]retention.Options{
		"set Options.Namespace":         {Tombstones: down},
		"Options.Place is no name":      {Tombstones: down, Namespace: ns, Place: "a b"},
		"Options.Place is for":          {Place: "cluster"},
		"the tombstones' sink recorder": {Tombstones: &accepted{}, Namespace: ns},
	} {
		if _, err := retention.New(&rest.Config{}, retention.Policy{}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}

func TestDeletingSealedEventsWithoutTombstonesIsWarnedOfOnce(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	a.writes(t, 3, 0)
	var out strings.Builder
	r := newReaper(t, server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}),
		retention.Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if sum, err := r.Pass(t.Context()); err != nil || sum.Deleted != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
	if n := strings.Count(out.String(), "without a tombstone"); n != 1 {
		t.Errorf("%d warnings in %s", n, out.String())
	}
}

func TestCheckpointsOutliveTheEventsTheyCover(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	a.writes(t, 3, 0)
	checkpoints := len(a.stored(t)) - 3
	for _, ae := range a.stored(t) { // a false one, which is dated back
		if trail.IsCheckpoint(ae.Spec.Kind) {
			ae.Name, ae.ResourceVersion, ae.UID = "false", "", ""
			ae.Spec.Timestamp = metav1.NewTime(time.Now().Add(-60 * day))
			delete(ae.Annotations, v1alpha1.AnnotationTimestamp)
			create(t, c, &ae)
			checkpoints++
			break
		}
	}
	policy := retention.Policy{
		Default: 10 * day, Rules: []retention.Rule{{Namespace: ns, Keep: 7 * day}, {Namespace: ns, Kind: "trail-checkpoint", Keep: day}}, DeletesPerSecond: 10000,
	}
	for _, step := range []struct {
		later time.Duration
		left  int
	}{{9 * day, checkpoints}, {40 * day, checkpoints}, {42 * day, 0}} {
		r := newReaper(t, server.Config, policy, retention.Options{Now: func() time.Time { return time.Now().Add(step.later) }})
		if _, err := r.Pass(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(a.stored(t)); n != step.left {
			t.Errorf("after %s, %d are left, want %d", step.later, n, step.left)
		}
	}
}

func TestCheckpointsGoWithTombstonesOfTheirOwn(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	a := newAuditor(t, c, ns)
	a.writes(t, 3, 0)
	id, want := "", trail.Ranges{}
	for _, ae := range a.stored(t) {
		if seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal]); err == nil && trail.IsCheckpoint(ae.Spec.Kind) {
			id = seal.Trail
			want.Add(seal.Index)
		}
	}
	tombstones := a.seal(t, "audit-reaper")
	policy := retention.Policy{Default: 10 * day, DeletesPerSecond: 10000}
	r := newReaper(t, server.Config, policy, retention.Options{
		Tombstones: tombstones, Namespace: ns, Place: "prod", Now: func() time.Time { return time.Now().Add(42 * day) },
	})
	if _, err := r.Pass(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, tombstones)
	var got trail.Ranges
	for _, one := range a.tombstones(t) {
		for _, reaped := range one.Reaped {
			if reaped.Trail == id && one.Checkpoints && one.Keep == "41d" && one.Place == "prod" {
				got = got.Or(reaped.Ranges)
			}
		}
	}
	if len(want) == 0 || got.String() != want.String() {
		t.Errorf("the checkpoints %s are named, want %s", got, want)
	}
}
