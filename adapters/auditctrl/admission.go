package auditctrl

import (
	"context"
	"encoding/json"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Admission returns next with the facts of each admission request in its context: the
// user with its groups, the object, the operation, and the uid of the request as its
// id. There is no address and no user agent, for an admission request has neither.
//
// A dry-run request leaves no event, so that the webhook may be registered with
// sideEffects: NoneOnDryRun.
//
// The events that were stored until next returned are named in the audit annotation
// "audit-event" of the response, as namespace/name, joined by commas: at most 16 of them,
// and then how many more there are. The API server puts it into its own audit log, under the
// name of the webhook. Annotations of next stay, one of this key included. next may write
// from several goroutines. The handler is safe for concurrent use where next is.
//
// The context of a request ends when the API server waits no longer and, with newer
// versions of controller-runtime, when the manager stops. A write that has to outlive that
// is detached: by detach: true in a configuration, or by context.WithoutCancel, which keeps
// the facts.
func Admission(next admission.Handler) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
		var stored names
		resp := next.Handle(auditing.With(ctx, auditing.Facts{
			Actor:    &v1alpha1.AuditActor{User: req.UserInfo.Username, Groups: req.UserInfo.Groups},
			Object:   objectOf(&req),
			Request:  &v1alpha1.AuditRequest{ID: string(req.UID), Verb: string(req.Operation)},
			DryRun:   req.DryRun != nil && *req.DryRun,
			OnStored: stored.add,
		}), req)
		stored.annotate(&resp)
		return resp
	})
}

func objectOf(req *admission.Request) *v1alpha1.AuditObject {
	return &v1alpha1.AuditObject{
		Group: req.Resource.Group, Resource: req.Resource.Resource, Subresource: req.SubResource,
		Namespace: req.Namespace, Name: req.Name, UID: uidOf(req),
	}
}

// uidOf returns the uid that the API server gave the object, or "" where the request
// does not have it. What is sent to a subresource, as an Eviction is, is an object of its
// own, in which the user may have put any uid.
func uidOf(req *admission.Request) string {
	raw := req.OldObject.Raw
	if len(raw) == 0 && req.SubResource == "" {
		raw = req.Object.Raw
	}
	var object struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
		return ""
	}
	return object.Metadata.UID
}
