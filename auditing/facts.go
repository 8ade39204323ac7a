package auditing

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// Facts are what a component knows of the request that it decides upon: who asked, for
// which object, in which request and trace. With puts them into the request's context
// once, and the events of the request then have them without a word at the call sites.
// The packages below adapters fill them in for net/http, gRPC and controller-runtime.
type Facts struct {
	// Actor, Object, Request and Trace are what an event gets in the fields of its spec
	// of the same names, each as a whole and where the event has none of its own. nil for
	// unknown. An event that its component has named gets no Request and no Trace, so
	// that it is the same event when the component writes it in another request.
	Actor   *v1alpha1.AuditActor
	Object  *v1alpha1.AuditObject
	Request *v1alpha1.AuditRequest
	Trace   *v1alpha1.AuditTrace

	// DryRun says that the request changes nothing, so that nothing is decided. Write then
	// stores no event: it returns nil for a valid one, and counts it in
	// paddock_audit_dry_run_events_total.
	DryRun bool

	// OnStored is called with each event of the request for which the outermost Write is
	// about to return nil, on the goroutine of the writer. A panic of it is logged. The
	// event still belongs to that writer: OnStored may read it until it returns.
	OnStored func(ae *v1alpha1.AuditEvent)
}

type factsKey struct{}

// With returns a context whose events have facts.
//
// It adds to those that ctx has already, so that a middleware can say where a request
// came from and a later one who sent it. What facts says replaces what ctx says: the
// user with groups and account, the object, and the trace each as a whole, and every
// other text for itself. DryRun stays set. Both OnStored are called.
//
// Texts beyond the bounds of the schema are shortened visibly. ServiceAccount is filled
// in when User is that of a Kubernetes service account. With keeps nothing of facts.
func With(ctx context.Context, facts Facts) context.Context {
	f := &Facts{DryRun: facts.DryRun, OnStored: facts.OnStored}
	was := FactsFrom(ctx)
	if was == nil {
		was = &Facts{}
	}
	f.Actor = joinActors(was.Actor, facts.Actor)
	f.Object = latest(was.Object, facts.Object)
	f.Request = joinRequests(was.Request, facts.Request)
	f.Trace = latest(was.Trace, facts.Trace)
	f.DryRun = f.DryRun || was.DryRun
	if first, second := was.OnStored, facts.OnStored; first != nil && second != nil {
		f.OnStored = func(ae *v1alpha1.AuditEvent) {
			first(ae)
			second(ae)
		}
	} else if second == nil {
		f.OnStored = first
	}
	eventjson.Bound(&v1alpha1.AuditEventSpec{Actor: f.Actor, Object: f.Object, Request: f.Request, Trace: f.Trace})
	return context.WithValue(ctx, factsKey{}, f)
}

// FactsFrom returns the facts that With put into ctx, or nil. They are shared by all
// that have the context: do not change them.
func FactsFrom(ctx context.Context) *Facts {
	f, _ := ctx.Value(factsKey{}).(*Facts)
	return f
}

// latest returns a copy of what is newer, or was where newer says nothing.
func latest[T comparable](was, newer *T) *T {
	var nothing T
	if newer == nil || *newer == nothing {
		return was
	}
	return new(*newer)
}

func joinActors(was, newer *v1alpha1.AuditActor) *v1alpha1.AuditActor {
	if newer == nil {
		return was
	}
	a := &v1alpha1.AuditActor{}
	if was != nil {
		*a = *was
	}
	if newer.User != "" || len(newer.Groups) > 0 || newer.ServiceAccount != "" {
		a.User, a.Groups, a.ServiceAccount = newer.User, slices.Clone(newer.Groups), newer.ServiceAccount
	}
	if account, is := strings.CutPrefix(a.User, "system:serviceaccount:"); is && a.ServiceAccount == "" {
		a.ServiceAccount = strings.Replace(account, ":", "/", 1)
	}
	a.SourceAddress = cmp.Or(newer.SourceAddress, a.SourceAddress)
	a.UserAgent = cmp.Or(newer.UserAgent, a.UserAgent)
	if a.User == "" && len(a.Groups) == 0 && a.ServiceAccount == "" && a.SourceAddress == "" && a.UserAgent == "" {
		return nil
	}
	return a
}

func joinRequests(was, newer *v1alpha1.AuditRequest) *v1alpha1.AuditRequest {
	if was == nil || newer == nil {
		return latest(was, newer)
	}
	return &v1alpha1.AuditRequest{ID: cmp.Or(newer.ID, was.ID), Verb: cmp.Or(newer.Verb, was.Verb)}
}
