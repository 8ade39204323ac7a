package canonical_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// sample is an event as a broker stores it.
func sample() *eventjson.Event {
	e := &eventjson.Event{}
	e.Copy(&v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{
			Name: "ae-01jsdd5r6n7zqkpxm5t2e3v4w8", Namespace: "team-a",
			Labels: map[string]string{
				v1alpha1.LabelRun: "run-7", v1alpha1.LabelDecision: "granted",
				v1alpha1.LabelKind: "credential-issued", v1alpha1.LabelComponent: "broker",
			},
			Annotations: map[string]string{v1alpha1.AnnotationTimestamp: "2026-04-25T12:00:00.123456789Z"},
		},
		Spec: v1alpha1.AuditEventSpec{
			RunRef: &v1alpha1.LocalReference{Name: "run-7"}, Decision: v1alpha1.AuditDecisionGranted,
			Kind:          v1alpha1.AuditKindCredentialIssued,
			Timestamp:     metav1.NewTime(time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)),
			Credential:    &v1alpha1.AuditCredential{Name: "github-token", Provider: "github", Purpose: "clone"},
			MatchedPolicy: &v1alpha1.LocalReference{Name: "allow-github"}, Reason: "the policy allows it",
			Detail: map[string]string{"repository": "team-a/service", "scope": "contents:read"},
		},
	})
	return e
}

// The aim is 0.7 of the time of eventjson.
func BenchmarkAppend(b *testing.B) {
	e, dst := sample(), []byte(nil)
	for name, encode := range map[string]func([]byte, *eventjson.Event) []byte{
		"canonical": canonical.Append,
		"eventjson": func(dst []byte, e *eventjson.Event) []byte { return e.Append(dst) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = encode(dst[:0], e)
			}
			b.ReportMetric(float64(len(dst)), "B/event")
		})
	}
}
