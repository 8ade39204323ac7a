package driver_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/names"
)

// refusal returns the error of a sink of namespaced objects, which must be of
// class invalid.
func refusal(t *testing.T, ae *v1alpha1.AuditEvent, component string) error {
	t.Helper()
	info := driver.Info{Namespaced: true, Component: component}
	err := newSink(stub{info: info}).Write(t.Context(), ae)
	if failed := writeError(t, err); failed.Class != auditing.ClassInvalid {
		t.Errorf("class %s: %v", failed.Class, err)
	}
	return err
}

func TestAnInvalidEventIsRefusedWithTheFieldThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(*v1alpha1.AuditEvent)
	}{
		{"spec.decision", func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "maybe" }},
		{"spec.decision", func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "" }},
		{"spec.kind", func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "" }},
		{"spec.kind", func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "Not a label" }},
		{"spec.kind", func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = v1alpha1.AuditKind(text(64)) }},
		{"spec.timestamp", func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp = metav1.Time{} }},
		{"spec.timestamp", func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = time.Unix(1<<60, 0) }},
		{"spec.windowStart", func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowStart = &metav1.Time{} }},
		{"spec.windowEnd", func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowEnd = &metav1.Time{Time: time.Unix(1<<60, 0)} }},
		{"spec.count", func(ae *v1alpha1.AuditEvent) { ae.Spec.Count = -1 }},
		{"spec.runRef.name", func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef.Name = "" }},
		{"spec.matchedPolicy.name", func(ae *v1alpha1.AuditEvent) { ae.Spec.MatchedPolicy.Name = "" }},
		{"metadata.namespace", func(ae *v1alpha1.AuditEvent) { ae.Namespace = "" }},
		{"metadata.namespace", func(ae *v1alpha1.AuditEvent) { ae.Namespace = "Team A" }},
		{"metadata.name", func(ae *v1alpha1.AuditEvent) { ae.Name = "Not/a/name" }},
		{"metadata.generateName", func(ae *v1alpha1.AuditEvent) { ae.GenerateName = "Not/a/name" }},
		{"metadata.generateName", func(ae *v1alpha1.AuditEvent) { ae.GenerateName = text(240) }},
		{"metadata.labels", func(ae *v1alpha1.AuditEvent) { ae.Labels["team"] = "not a value" }},
		{"metadata.labels", func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "not a value" }},
		{"metadata.annotations", func(ae *v1alpha1.AuditEvent) { ae.Annotations = map[string]string{"not a key": ""} }},
		{"metadata.ownerReferences", func(ae *v1alpha1.AuditEvent) { ae.OwnerReferences = make([]metav1.OwnerReference, 1) }},
	} {
		ae := denial()
		c.spoil(ae)
		if err := refusal(t, ae, ""); !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: error %v does not name it", c.field, err)
		}
	}
	_ = refusal(t, nil, "")
	if err := refusal(t, denial(), "not a value"); !strings.Contains(err.Error(), "component") {
		t.Errorf("component: error %v does not name it", err)
	}
}

func TestAllFieldsThatAreWrongAreNamedAtOnce(t *testing.T) {
	err := refusal(t, &v1alpha1.AuditEvent{}, "")
	for _, field := range []string{"spec.decision", "spec.kind", "spec.timestamp", "metadata.namespace"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

func TestPrepareRefusesWhatWriteRefuses(t *testing.T) {
	for _, ae := range []*v1alpha1.AuditEvent{nil, {}} {
		e, err := driver.Prepare(ae, "")
		if class, _ := driver.ClassOf(err); e != nil || class != auditing.ClassInvalid {
			t.Errorf("event %v, class %s: %v", e, class, err)
		}
	}
	if _, err := driver.Prepare(denial(), "not a value"); err == nil {
		t.Error("no error for a component that is no label value")
	}
}

func TestAnEventIsValidWhen(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"it comes from a builder":            func(*v1alpha1.AuditEvent) {},
		"its kind is nobody's constant":      func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = v1alpha1.AuditKind(text(63)) },
		"it has no namespace and needs none": func(ae *v1alpha1.AuditEvent) { ae.Namespace = "" },
		"its run is no label value":          func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef.Name = "not a label " + text(2000) },
		"its own labels are to be replaced":  func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelRun] = "not a value" },
		"it has labels and an owner": func(ae *v1alpha1.AuditEvent) {
			ae.Labels["team"] = "a"
			ae.OwnerReferences = []metav1.OwnerReference{*completeInput().OwnerRef}
		},
		"it was read from a server": func(ae *v1alpha1.AuditEvent) {
			ae.ManagedFields = make([]metav1.ManagedFieldsEntry, 1)
			ae.Labels["a"] = "b"
		},
		"its name is a subdomain":               func(ae *v1alpha1.AuditEvent) { ae.Name = "a.b" },
		"its generateName is as long as can be": func(ae *v1alpha1.AuditEvent) { ae.GenerateName = text(names.MaxPrefix) },
	} {
		ae := denial()
		change(ae)
		if _, err := driver.Prepare(ae, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
