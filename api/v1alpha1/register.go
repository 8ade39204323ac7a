package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of AuditEvent.
	GroupVersion = schema.GroupVersion{Group: "paddock.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the functions that AddToScheme runs.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme makes AuditEvent and AuditEventList known to a scheme, which a
	// client needs before it can read or write them.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &AuditEvent{}, &AuditEventList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
