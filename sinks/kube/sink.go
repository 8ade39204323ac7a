// Package kube stores audit events as AuditEvent objects in the API server.
//
// nil from Write means that the API server answered that the object is in etcd.
//
//	sink := kube.Sink{Client: mgr.GetClient(), Component: "broker"}
//
// The client must know the type (v1alpha1.AddToScheme). client-go throttles a
// rest.Config with zero QPS to 5 requests a second, which every writer of that
// config shares; a component that audits sets QPS itself, to -1 for no limit.
//
// Importing this package registers the audit metrics with controller-runtime's
// registry, which its manager serves.
package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

func init() {
	if err := auditing.RegisterMetrics(metrics.Registry); err != nil {
		// Only another collector of the same names can cause this, which is a
		// mistake in the program that no caller could handle.
		panic(err)
	}
}

// Sink writes events with a controller-runtime client. A literal with Client is
// ready for use, by any number of goroutines; it holds nothing and needs no Close.
type Sink struct {
	// Client creates the objects. It is never read through, so that a manager's
	// cached client starts no informer. Required.
	Client client.Writer

	// Component that writes, as in "broker": stamped on every event as the label
	// paddock.dev/component. "" leaves the label as the event has it.
	Component string

	// Reader looks at an object whose name exists already, to tell a retry from a
	// collision. It must read from the API server, as a manager's GetAPIReader
	// does, and needs the right to get auditevents. When nil, Client asks for the
	// object with an empty dry-run patch, which needs the right to patch
	// auditevents and changes nothing. The fake client of controller-runtime
	// answers no dry-run patch: in a test, set it here as well.
	//
	// Without either right an event whose name exists already is a transient error:
	// an earlier attempt may have stored it, or somebody else may have taken the name.
	Reader client.Reader

	// TrustNames counts an event whose name exists already, and cannot be read, as
	// stored when the library made the name for Component. That is right after an
	// answer that was lost, and wrong when somebody else has read the name, in a log of
	// failures, and taken it first. So set it only where the admission policy
	// audit-events-writers names the writers of the component, who alone may then use
	// its names, and leave it out where the component has the right to patch or get.
	TrustNames bool

	// OwnerReferences stores the event's owner references. The garbage collector then
	// deletes the event together with its owner, and at once when the owner is gone, was
	// never there or is in another namespace: whoever may create events can so erase
	// their own record, and an honest component loses one when its run is deleted in the
	// meantime. Without it the annotation paddock.dev/owner alone names the owner.
	OwnerReferences bool

	// CheckNamespace is where Check asks whether events may be created; "default"
	// when empty. Name a namespace of the component when it may not write to every
	// namespace.
	CheckNamespace string
}

var _ driver.Literal = Sink{}

// Write creates the event's object and returns nil when the API server has
// stored it, or had stored it already. An object of the same name with other
// content is a permanent error. An event without a namespace is invalid.
//
// Errors keep the API server's own, so that apierrors.IsForbidden and the like
// work on them. Missing rights, a missing CRD and a refusal by the schema are permanent;
// the first two are driver.Mendable as well. A full ResourceQuota is full. A server that
// throttles, is unavailable or does not answer is transient.
func (s Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return driver.Write(ctx, store{s}, ae)
}

// Check asks the API server to create an event in CheckNamespace without storing it,
// which needs all that a write needs.
func (s Sink) Check(ctx context.Context) error { return store{s}.Check(ctx) }

// Level returns LevelAcknowledged.
func (s Sink) Level() auditing.Level { return auditing.LevelAcknowledged }

// String returns "kube".
func (s Sink) String() string { return sinkName }

// Driver returns what stages hand events to.
func (s Sink) Driver() (driver.Driver, auditing.Sink) { return store{s}, s }

const (
	sinkName = "kube"
	// atOnce is how many creates of one batch are under way at the same time.
	atOnce = 16
)

// store is the Driver of a Sink.
type store struct{ Sink }

func (s store) Info() driver.Info {
	return driver.Info{
		Name: sinkName, Component: s.Component, Level: auditing.LevelAcknowledged, Namespaced: true,
		Batch: 16 * atOnce, Repeats: driver.RepeatsRecognised,
	}
}

func (s store) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Parallel(ctx, atOnce, events, s.create)
}

func (s store) Check(ctx context.Context) error {
	if s.Client == nil {
		return errNoClient
	}
	ns := s.CheckNamespace
	if ns == "" {
		ns = metav1.NamespaceDefault
	}
	e, err := driver.Prepare(auditing.NewEvent(auditing.EventInput{
		Namespace: ns, Kind: "audit-check", Decision: v1alpha1.AuditDecisionGranted,
		Reason: "asked without storing whether audit events can be created",
	}), s.Component)
	if err == nil {
		err = s.await(ctx, func() error { return s.Client.Create(ctx, e.Object(), client.DryRunAll) })
	}
	if err != nil {
		return fmt.Errorf("kube: a dry-run create of an AuditEvent in namespace %s: %w", ns, err)
	}
	return nil
}

func (store) Close(context.Context) error { return nil }

var errNoClient = errors.New("Sink.Client is nil: set it to a client that can create auditevents")

func (s store) create(ctx context.Context, e *driver.Event) error {
	if s.Client == nil {
		return driver.Permanent(errNoClient)
	}
	if e.Namespace() == "" { // another child of a fan-out may take it
		return driver.Permanent(errors.New("the event has no namespace, and an object needs one"))
	}
	obj := e.Object() // the client writes the server's answer into it
	if !s.OwnerReferences {
		obj.OwnerReferences = nil
	}
	err := s.await(ctx, func() error { return s.Client.Create(ctx, obj) })
	if apierrors.IsAlreadyExists(err) {
		return s.compare(ctx, e, err)
	}
	if err == nil && restorePruned(obj, e) {
		driver.CountPruned()
	}
	return classify(err)
}

// restorePruned gives what the API server stored the facts of e back, when it has none,
// and reports that it did: an API server drops the fields that its CRD does not know. Such
// an event is stored, and a retry must not take it for another one.
func restorePruned(stored *v1alpha1.AuditEvent, e *driver.Event) bool {
	s, sent := &stored.Spec, e.Spec()
	if eventjson.HasFacts(s) || !eventjson.HasFacts(sent) {
		return false
	}
	s.Actor, s.Object, s.Request, s.Trace = sent.Actor, sent.Object, sent.Request, sent.Trace
	return true
}

// compare reports whether the object with the event's name is this event.
func (s store) compare(ctx context.Context, e *driver.Event, exists error) error {
	stored, err := s.read(ctx, e)
	restorePruned(stored, e)
	switch {
	case err == nil && e.Same(stored):
		driver.Repeated(e, stored)
		return nil
	case err == nil:
		return driver.Permanent(fmt.Errorf("another event has this name: %w", exists))
	case apierrors.IsForbidden(err) && s.TrustNames && e.NamedByLibrary():
		return nil
	case apierrors.IsForbidden(err):
		return driver.WithClass(auditing.ClassTransient, fmt.Errorf(
			"%w, and whether it is this event cannot be told without the right to patch auditevents, or to get them and a Reader: %w", exists, err))
	case apierrors.IsNotFound(err):
		// It was deleted in the meantime, so whether it was this event is unknown.
		return driver.WithClass(auditing.ClassTransient, fmt.Errorf("deleted while it was compared: %w", exists))
	}
	return classify(fmt.Errorf("comparing with the object of the same name: %w", err))
}

func (s store) read(ctx context.Context, e *driver.Event) (*v1alpha1.AuditEvent, error) {
	stored := &v1alpha1.AuditEvent{}
	stored.Namespace, stored.Name = e.Namespace(), e.Name()
	err := s.await(ctx, func() error {
		if s.Reader != nil {
			return s.Reader.Get(ctx, client.ObjectKeyFromObject(stored), stored)
		}
		return s.Client.Patch(ctx, stored, client.RawPatch(types.MergePatchType, []byte("{}")), client.DryRunAll)
	})
	return stored, err
}
