package multi_test

import (
	"context"
	"sync"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/multi"
)

// reader remembers the event that its transport was handed, as no sink may, to
// show which one it was.
type reader struct {
	component string
	mu        sync.Mutex
	seen      *v1alpha1.AuditEvent
}

func (r *reader) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return auditing.Deliver(ctx, auditing.Target{Sink: "reader", Component: r.component}, ae,
		func(_ context.Context, ae *v1alpha1.AuditEvent) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.seen = ae
			return nil
		})
}

func (r *reader) ReadsOnly() bool { return true }

func TestChildrenThatOnlyReadShareOneCopy(t *testing.T) {
	a, b, stamps, other := &reader{}, &reader{}, &reader{component: "proxy"}, &sinktest.Recorder{}
	inner, err := multi.New([]multi.Child{{Name: "b", Sink: b}, {Name: "stamps", Sink: stamps}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sink, err := multi.New([]multi.Child{
		{Name: "a", Sink: a}, {Name: "inner", Sink: inner}, {Name: "bad", Sink: spoiler{}}, {Name: "other", Sink: other},
	}, multi.Options{Component: "broker"})
	if err != nil {
		t.Fatal(err)
	}
	ae, err := write(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	if a.seen == ae || a.seen != b.seen {
		t.Errorf("the caller's event is shared: %t; the children's is one: %t", a.seen == ae, a.seen == b.seen)
	}
	if got := stamps.seen.Labels[v1alpha1.LabelComponent]; got != "proxy" || stamps.seen.Name != ae.Name {
		t.Errorf("the child with a component got component %q and name %s", got, stamps.seen.Name)
	}
	for _, got := range append(other.Events(), *a.seen) {
		if got.Labels[v1alpha1.LabelComponent] != "broker" || got.Spec.Detail["leaf"] != "green" || got.Name != ae.Name {
			t.Errorf("another child's doing is in %+v", got)
		}
	}
}
