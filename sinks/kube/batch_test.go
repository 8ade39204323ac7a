package kube_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestABatchIsCreatedWithSeveralUnderWay(t *testing.T) {
	server := testenv.SharedKube(t)
	reader, ns := newClient(t, server.Config), server.Namespace(t)
	var underWay, most atomic.Int64
	config := wrapped(server.Config, func(next http.RoundTripper) roundTripper {
		return func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				n := underWay.Add(1)
				defer underWay.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
			}
			return next.RoundTrip(r)
		}
	})
	sink := kube.Sink{Client: newClient(t, config), Component: "broker"}
	const size, taken = 200, 137
	events := make([]*driver.Event, size)
	for i := range events {
		ae := issued(ns)
		e, err := driver.Prepare(ae, "broker")
		if err != nil {
			t.Fatal(err)
		}
		events[i] = e
		if i == taken {
			ae.Spec.Reason = "another"
			if err := sink.Write(t.Context(), ae); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := driver.Of(sink)
	if batch := d.Info().Batch; batch < size {
		t.Errorf("a batch of at most %d, want %d or more", batch, size)
	}
	errs := d.Store(t.Context(), events)
	if len(errs) != size {
		t.Fatalf("%d outcomes for %d events", len(errs), size)
	}
	for i, err := range errs {
		if i != taken {
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
			continue
		}
		wantClass(t, err, auditing.ClassPermanent)
		if !apierrors.IsAlreadyExists(err) || !strings.Contains(err.Error(), events[i].Ref()) {
			t.Errorf("event %d: %v, want that %s is taken", i, err, events[i].Ref())
		}
	}
	stored := map[string]string{}
	for _, ae := range list(t, reader, ns) {
		stored[ae.Name] = ae.Spec.Reason
	}
	for i, e := range events {
		if want := map[bool]string{false: "issued", true: "another"}[i == taken]; stored[e.Name()] != want {
			t.Errorf("event %d is stored with the reason %q, want %q", i, stored[e.Name()], want)
		}
	}
	if len(stored) != size || most.Load() < 2 || most.Load() > 16 {
		t.Errorf("%d objects, want %d; %d creates at once, want 2 to 16", len(stored), size, most.Load())
	}
	if errs := d.Store(t.Context(), events[:taken]); errs != nil {
		t.Errorf("the same events again: %v", errs)
	}
}

func TestCheckAsksWithoutStoring(t *testing.T) {
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	c := newClient(t, server.Config)
	for name, sink := range map[string]kube.Sink{
		"in a namespace": {Client: c, CheckNamespace: ns, Component: "broker"}, "in default": {Client: c},
	} {
		if err := auditing.Check(t.Context(), sink); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(list(t, c, ns)); n != 0 {
		t.Errorf("%d objects, want none", n)
	}
	nobody := newClient(t, server.ConfigFor("system:serviceaccount:"+ns+":nobody"))
	for ns, sink := range map[string]kube.Sink{"default": {Client: nobody}, ns: {Client: nobody, CheckNamespace: ns}} {
		err := auditing.Check(t.Context(), sink)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "dry-run create of an AuditEvent in namespace "+ns) {
			t.Errorf("in %s: %v, want that it is forbidden", ns, err)
		}
	}
	if err := auditing.Check(t.Context(), kube.Sink{}); err == nil {
		t.Error("a sink without a client passes its check")
	}
}
