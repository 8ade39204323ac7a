package driver

import (
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/metrics"
)

// stamped is what an event of a caller gets of a request's facts, in one allocation. A user
// of more groups takes another one.
type stamped struct {
	actor   v1alpha1.AuditActor
	object  v1alpha1.AuditObject
	request v1alpha1.AuditRequest
	trace   v1alpha1.AuditTrace
	groups  [4]string
}

// stamp gives an event, and its copy e, the facts that the event lacks. The copy shares
// them with the context, which bounds them and never changes them. The caller may
// change its own event, so that one gets copies.
//
// A component that names an event itself does so to write one event, however often it
// comes by: in several reconciliations, say. Such an event gets no request and no trace,
// which are others each time and would make it another event of the same name.
func stamp(ae *v1alpha1.AuditEvent, e *eventjson.Event, f *auditing.Facts, named bool) {
	s, own := &ae.Spec, &stamped{}
	if s.Actor == nil && f.Actor != nil {
		e.Spec.Actor, s.Actor, own.actor = f.Actor, &own.actor, *f.Actor
		if groups := f.Actor.Groups; groups != nil {
			own.actor.Groups = append(own.groups[:0:len(own.groups)], groups...)
		}
	}
	if s.Object == nil && f.Object != nil {
		e.Spec.Object, s.Object, own.object = f.Object, &own.object, *f.Object
	}
	if named {
		return
	}
	if s.Request == nil && f.Request != nil {
		e.Spec.Request, s.Request, own.request = f.Request, &own.request, *f.Request
	}
	if s.Trace == nil && f.Trace != nil {
		e.Spec.Trace, s.Trace, own.trace = f.Trace, &own.trace, *f.Trace
	}
}

// CountPruned counts an event that a destination stored without its facts, in
// paddock_audit_pruned_events_total.
func CountPruned() { metrics.Pruned.Inc() }
