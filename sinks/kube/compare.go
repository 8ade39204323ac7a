package kube

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// sameEvent reports whether stored, as the API server gave it back, is ae: the
// same decision, by the same component, at the same nanosecond.
func sameEvent(stored, ae *v1alpha1.AuditEvent) bool {
	return auditing.EventTime(stored).Equal(auditing.EventTime(ae)) &&
		stored.Labels[v1alpha1.LabelComponent] == ae.Labels[v1alpha1.LabelComponent] &&
		equality.Semantic.DeepEqual(asStored(stored.Spec), asStored(ae.Spec))
}

// asStored returns spec with its times in the whole seconds that JSON keeps.
func asStored(spec v1alpha1.AuditEventSpec) v1alpha1.AuditEventSpec {
	spec.Timestamp = spec.Timestamp.Rfc3339Copy()
	if spec.WindowStart != nil {
		start := spec.WindowStart.Rfc3339Copy()
		spec.WindowStart = &start
	}
	if spec.WindowEnd != nil {
		end := spec.WindowEnd.Rfc3339Copy()
		spec.WindowEnd = &end
	}
	return spec
}
