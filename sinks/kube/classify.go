package kube

import (
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// classify marks an error of the client with what it means for a retry. What is
// neither refused for good nor throttled is left as it is: transient, or a
// timeout when it stems from the context. Missing rights and a missing resource are
// mendable: an API server that has just started, or whose CRD is being replaced, answers so.
// A namespace that is gone or going does not come back.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		return driver.RetryAfter(err, time.Duration(seconds)*time.Second)
	}
	switch {
	case runtime.IsNotRegisteredError(err):
		return driver.Permanent(fmt.Errorf("the client's scheme does not know AuditEvent, call v1alpha1.AddToScheme: %w", err))
	case meta.IsNoMatchError(err):
		return driver.Mendable(fmt.Errorf("the API server does not know AuditEvent, apply deploy/crd: %w", err))
	case isOverQuota(err):
		return driver.WithClass(auditing.ClassFull, err)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), isNoNamespace(err):
		return driver.Permanent(err)
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return driver.Mendable(err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err), apierrors.IsNotAcceptable(err),
		apierrors.IsUnsupportedMediaType(err), apierrors.IsRequestEntityTooLargeError(err), apierrors.IsGone(err):
		return driver.Permanent(err)
	}
	return err
}

// isOverQuota reports that a ResourceQuota has no room. The API server says so in text only.
func isOverQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// isNoNamespace reports that the namespace of the event does not exist.
func isNoNamespace(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && apierrors.IsNotFound(err) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}
