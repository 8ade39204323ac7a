package lines

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestTheLongestEventFitsTheShortestLine(t *testing.T) {
	t.Parallel()
	const minMaxLine = 16 << 10 // the least that Options.MaxLineBytes can be
	hostile := strings.Repeat("\x01", 1024)
	ref := func() *v1alpha1.LocalReference { return &v1alpha1.LocalReference{Name: hostile} }
	var groups []string
	for range v1alpha1.MaxActorGroups {
		groups = append(groups, hostile)
	}
	ae := &v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{
			Name: strings.Repeat("n", 253), Namespace: strings.Repeat("n", 63),
			Annotations: map[string]string{v1alpha1.AnnotationTimestamp: "2026-01-01T00:00:00.123456789Z", v1alpha1.AnnotationSeal: "v1 trail 7 salt"},
			Labels:      map[string]string{v1alpha1.LabelKind: "egress-block"},
		},
		Spec: v1alpha1.AuditEventSpec{
			RunRef: ref(), MatchedPolicy: ref(), Reason: hostile,
			Credential:  &v1alpha1.AuditCredential{Name: hostile, Provider: hostile, Purpose: hostile},
			Destination: &v1alpha1.AuditDestination{Host: hostile},
			SampleDestinations: []v1alpha1.AuditDestination{
				{Host: hostile}, {Host: hostile}, {Host: hostile},
			},
			Actor:   &v1alpha1.AuditActor{User: hostile, ServiceAccount: hostile, SourceAddress: hostile, UserAgent: hostile, Groups: groups},
			Object:  &v1alpha1.AuditObject{Group: hostile, Resource: hostile, Namespace: hostile, Name: hostile, UID: hostile, Subresource: hostile},
			Request: &v1alpha1.AuditRequest{ID: hostile, Verb: hostile},
			Trace:   &v1alpha1.AuditTrace{TraceID: hostile, SpanID: hostile},
			Detail:  map[string]string{},
		},
	}
	for i := range 64 {
		key := time.Duration(i).String()
		ae.Spec.Detail[key] = hostile
		ae.Annotations["example.com/"+key] = hostile
		ae.Labels["example.com/"+key] = "x"
	}
	e := decoded(t, ae)
	first := string(Of(e, minMaxLine))
	for range 3 {
		if string(Of(decoded(t, ae), minMaxLine)) != first {
			t.Error("the same event gives another line")
		}
	}
	if len(first) > minMaxLine {
		t.Errorf("the line has %d bytes, want at most %d", len(first), minMaxLine)
	}
	for _, part := range []string{`"paddock.dev/timestamp":"2026-01-01T00:00:00.123456789Z"`, `"paddock.dev/seal":"v1 trail 7 salt"`, detailOmitted, annotationOmitted, "[1024 bytes, sha256 "} {
		if !strings.Contains(first, part) {
			t.Errorf("the line does not hold %s: %.2000s", part, first)
		}
	}
	if got := e.Object(); len(got.Annotations) != 66 || got.Spec.Reason != hostile {
		t.Error("the event was changed")
	}
}

// decoded returns an event without validating or shortening it.
func decoded(t *testing.T, ae *v1alpha1.AuditEvent) *driver.Event {
	t.Helper()
	e, err := driver.Decode(eventjson.Append(nil, ae))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
