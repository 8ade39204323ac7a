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
	// auditevents and changes nothing.
	//
	// Without either right only a name that the library made counts as a retry.
	Reader client.Reader
}

var _ auditing.Sink = Sink{}

// Write creates the event's object and returns nil when the API server has
// stored it, or had stored it already. An object of the same name with other
// content is a permanent error. The event needs a namespace.
//
// Errors keep the API server's own, so that apierrors.IsForbidden and the like
// work on them. Forbidden, invalid, without a namespace or without the CRD is
// permanent; throttled, unavailable, timed out or unreachable is transient.
func (s Sink) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	target := auditing.Target{Sink: s.String(), Component: s.Component, Namespaced: true}
	return auditing.Deliver(ctx, target, ae, s.store)
}

// Level returns LevelAcknowledged.
func (s Sink) Level() auditing.Level { return auditing.LevelAcknowledged }

// ReadsOnly returns true: the client gets a copy.
func (s Sink) ReadsOnly() bool { return true }

// String returns "kube".
func (s Sink) String() string { return "kube" }

func (s Sink) store(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	if s.Client == nil {
		return auditing.Permanent(errors.New("Sink.Client is nil: set it to a client that can create auditevents"))
	}
	obj := newObject(ae)
	err := await(ctx, func() error { return s.Client.Create(ctx, obj) })
	if apierrors.IsAlreadyExists(err) {
		return s.compare(ctx, ae, err)
	}
	return classify(err)
}

// newObject copies the event without what only a server may set, which a caller
// has there who got the event from one. The copy takes the server's answer.
func newObject(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	obj := ae.DeepCopy()
	obj.UID = ""
	obj.ResourceVersion = ""
	obj.Generation = 0
	obj.CreationTimestamp = metav1.Time{}
	obj.DeletionTimestamp = nil
	obj.DeletionGracePeriodSeconds = nil
	obj.ManagedFields = nil
	return obj
}

// compare tells whether the object that has the event's name is this event.
func (s Sink) compare(ctx context.Context, ae *v1alpha1.AuditEvent, exists error) error {
	stored, err := s.read(ctx, ae)
	switch {
	case err == nil && sameEvent(stored, ae):
		return nil
	case err == nil:
		return auditing.Permanent(fmt.Errorf("another event has this name: %w", exists))
	case apierrors.IsForbidden(err) && auditing.NamedByLibrary(ae):
		// A component that may only create: nothing but an earlier attempt at this
		// event can have made an object of this name.
		return nil
	case apierrors.IsForbidden(err):
		return auditing.Permanent(fmt.Errorf(
			"%w, and whether it is this event cannot be told without the right to read it: %w", exists, err))
	case apierrors.IsNotFound(err):
		// Deleted since, by whoever expires events. Whether it was this one is unknown.
		return auditing.WithClass(auditing.ClassTransient, fmt.Errorf("deleted while it was compared: %w", exists))
	}
	return classify(fmt.Errorf("comparing with the object of the same name: %w", err))
}

func (s Sink) read(ctx context.Context, ae *v1alpha1.AuditEvent) (*v1alpha1.AuditEvent, error) {
	stored := &v1alpha1.AuditEvent{}
	stored.Namespace, stored.Name = ae.Namespace, ae.Name
	err := await(ctx, func() error {
		if s.Reader != nil {
			return s.Reader.Get(ctx, client.ObjectKeyFromObject(stored), stored)
		}
		return s.Client.Patch(ctx, stored, client.RawPatch(types.MergePatchType, []byte("{}")), client.DryRunAll)
	})
	return stored, err
}

// await calls the client and waits for it no longer than ctx lasts. A client
// asks for the server's API before its first request, and does that without the
// caller's context; once it has, it returns with ctx by itself.
func await(ctx context.Context, call func() error) error {
	if ctx.Done() == nil {
		return call()
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- auditing.Permanent(fmt.Errorf("panic: %v", r))
			}
		}()
		done <- call()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	return fmt.Errorf("no answer yet, so the outcome is unknown: %w", ctx.Err())
}
