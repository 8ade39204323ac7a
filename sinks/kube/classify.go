package kube

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/paddock-dev/audit/driver"
)

// classify marks an error of the client with what it means for a retry. What is
// neither refused for good nor throttled is left as it is: transient, or a
// timeout when it stems from the context.
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
		return driver.Permanent(fmt.Errorf("the API server does not know AuditEvent, apply deploy/crd: %w", err))
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsNotFound(err),
		apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err), apierrors.IsNotAcceptable(err),
		apierrors.IsUnsupportedMediaType(err), apierrors.IsRequestEntityTooLargeError(err), apierrors.IsGone(err):
		return driver.Permanent(err)
	}
	return err
}
