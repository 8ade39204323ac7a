package verify_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

// edits are changes of one event, by the field that they change.
var edits = map[string]func(ae *v1alpha1.AuditEvent){
	"runRef":    func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef.Name = "run-8" },
	"decision":  func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "denied" },
	"kind":      func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "credential-denied" },
	"timestamp": func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = ae.Spec.Timestamp.Add(time.Second) },
	"exact time": func(ae *v1alpha1.AuditEvent) {
		ae.Annotations[v1alpha1.AnnotationTimestamp] = ae.Spec.Timestamp.UTC().Format(time.RFC3339)
	},
	"actor user":           func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor.User = "bob" },
	"actor groups":         func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor.Groups = []string{"dev"} },
	"actor serviceAccount": func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor.ServiceAccount = "a/b" },
	"actor sourceAddress":  func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor.SourceAddress = "::1" },
	"actor userAgent":      func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor.UserAgent = "curl" },
	"no actor":             func(ae *v1alpha1.AuditEvent) { ae.Spec.Actor = nil },
	"object":               func(ae *v1alpha1.AuditEvent) { ae.Spec.Object = &v1alpha1.AuditObject{Name: "pod"} },
	"request":              func(ae *v1alpha1.AuditEvent) { ae.Spec.Request = &v1alpha1.AuditRequest{Verb: "GET"} },
	"trace":                func(ae *v1alpha1.AuditEvent) { ae.Spec.Trace = &v1alpha1.AuditTrace{SpanID: "1"} },
	"host":                 func(ae *v1alpha1.AuditEvent) { ae.Spec.Destination.Host = "example.org" },
	"port":                 func(ae *v1alpha1.AuditEvent) { ae.Spec.Destination.Port = 80 },
	"credential name":      func(ae *v1alpha1.AuditEvent) { ae.Spec.Credential.Name = "other" },
	"credential provider":  func(ae *v1alpha1.AuditEvent) { ae.Spec.Credential.Provider = "gitlab" },
	"credential purpose":   func(ae *v1alpha1.AuditEvent) { ae.Spec.Credential.Purpose = "" },
	"policy":               func(ae *v1alpha1.AuditEvent) { ae.Spec.MatchedPolicy = &v1alpha1.LocalReference{Name: "p"} },
	"reason":               func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason += "." },
	"count":                func(ae *v1alpha1.AuditEvent) { ae.Spec.Count = 2 },
	"sampleDestinations":   func(ae *v1alpha1.AuditEvent) { ae.Spec.SampleDestinations = []v1alpha1.AuditDestination{{Port: 1}} },
	"windowStart":          func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowStart = nil },
	"windowEnd":            func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowEnd = new(metav1.NewTime(noon)) },
	"detail value":         func(ae *v1alpha1.AuditEvent) { ae.Spec.Detail["scope"] = "contents:write" },
	"detail key":           func(ae *v1alpha1.AuditEvent) { delete(ae.Spec.Detail, "scope") },
	"name":                 func(ae *v1alpha1.AuditEvent) { ae.Name += "x" },
	"namespace":            func(ae *v1alpha1.AuditEvent) { ae.Namespace = "team-b" },
	"label run":            func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelRun] = "run-8" },
	"label component":      func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "proxy" },
	"another own label":    func(ae *v1alpha1.AuditEvent) { ae.Labels["paddock.dev/level"] = "x" },
	"own annotation":       func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationOwner] = "[]" },
	"salt": func(ae *v1alpha1.AuditEvent) {
		seal, _ := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
		seal.Salt = trail.NewSalt()
		ae.Annotations[v1alpha1.AnnotationSeal] = seal.String()
	},
}

func TestEveryEditedFieldIsFound(t *testing.T) {
	x := newExported(t)
	whole := x.events
	for name, edit := range edits {
		x.events = nil
		for _, ae := range whole {
			x.events = append(x.events, ae.DeepCopy())
		}
		edit(x.at(x.first, 3))
		r := report(t, x.root, places{"a": x.events}, verify.Options{})
		mustFindOnly(t, r, verify.Tampered, verify.CodeEdited)
		if f := r.Findings[0]; f.Index != 3 || f.Trail != x.first.id || f.Place != "a" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestWhatIsLeftOutMayChange(t *testing.T) {
	x := newExported(t)
	for _, ae := range x.events {
		ae.UID, ae.ResourceVersion, ae.GenerateName = "u", "1", "ae-"
		ae.Labels["example.com/x"], ae.Annotations["example.com/x"] = "y", "z"
		ae.OwnerReferences, ae.Finalizers = []metav1.OwnerReference{{Name: "x"}}, []string{"x"}
	}
	mustFindOnly(t, report(t, x.root, places{"a": x.events}, verify.Options{}), verify.Intact)
}
