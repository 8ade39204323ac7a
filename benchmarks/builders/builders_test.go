// Package builders_test compares the builders of package auditing with struct literals of the same event.
package builders_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

// literals are the events of package bench as somebody would write them without a builder.
var literals = map[string]func() *v1alpha1.AuditEvent{
	"credential": func() *v1alpha1.AuditEvent {
		return &v1alpha1.AuditEvent{
			ObjectMeta: meta("ae-cred-", v1alpha1.AuditDecisionGranted, v1alpha1.AuditKindCredentialIssued),
			Spec: v1alpha1.AuditEventSpec{
				RunRef:        &v1alpha1.LocalReference{Name: bench.Run},
				Decision:      v1alpha1.AuditDecisionGranted,
				Kind:          v1alpha1.AuditKindCredentialIssued,
				Timestamp:     metav1.NewTime(time.Now().UTC()),
				Credential:    &v1alpha1.AuditCredential{Name: bench.Credential, Provider: bench.Provider},
				MatchedPolicy: &v1alpha1.LocalReference{Name: bench.Policy},
				Reason:        bench.Reason,
				Count:         3,
			},
		}
	},
	"egress": func() *v1alpha1.AuditEvent {
		return &v1alpha1.AuditEvent{
			ObjectMeta: meta("ae-egress-", v1alpha1.AuditDecisionDenied, v1alpha1.AuditKindEgressBlock),
			Spec: v1alpha1.AuditEventSpec{
				RunRef:        &v1alpha1.LocalReference{Name: bench.Run},
				Decision:      v1alpha1.AuditDecisionDenied,
				Kind:          v1alpha1.AuditKindEgressBlock,
				Timestamp:     metav1.NewTime(time.Now().UTC()),
				Destination:   &v1alpha1.AuditDestination{Host: bench.Host, Port: bench.Port},
				MatchedPolicy: &v1alpha1.LocalReference{Name: bench.Policy},
				Reason:        bench.Reason,
			},
		}
	},
	"prompt": func() *v1alpha1.AuditEvent {
		return &v1alpha1.AuditEvent{
			ObjectMeta: meta("ae-", v1alpha1.AuditDecisionGranted, v1alpha1.AuditKindPromptSubmitted),
			Spec: v1alpha1.AuditEventSpec{
				RunRef:    &v1alpha1.LocalReference{Name: bench.Run},
				Decision:  v1alpha1.AuditDecisionGranted,
				Kind:      v1alpha1.AuditKindPromptSubmitted,
				Timestamp: metav1.NewTime(time.Now().UTC()),
				Detail:    map[string]string{"submitterSA": "agent", "promptLength": "1024", "turnSeq": "7", "prompt": bench.Prompt},
			},
		}
	},
}

func meta(prefix string, decision v1alpha1.AuditDecision, kind v1alpha1.AuditKind) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		GenerateName: prefix, Namespace: bench.Namespace,
		Labels: map[string]string{
			v1alpha1.LabelDecision: string(decision), v1alpha1.LabelKind: string(kind), v1alpha1.LabelRun: bench.Run,
		},
	}
}

// sink keeps the events on the heap, where a caller's are.
var sink *v1alpha1.AuditEvent

func BenchmarkBuilders(b *testing.B) {
	for _, event := range bench.Events() {
		peer := func(name string, build func() *v1alpha1.AuditEvent) bench.Peer {
			return bench.Peer{Name: name, Open: func(*testing.B, int) bench.Writer {
				return bench.Writer{Write: func(int) error { sink = build(); return nil }}
			}}
		}
		bench.Compare(b, fmt.Sprintf("event=%s/", event.Name), 1,
			[]bench.Peer{peer("ours", event.New), peer("literal", literals[event.Name])})
	}
}

func TestALiteralIsTheEventThatTheBuilderMakes(t *testing.T) {
	for _, event := range bench.Events() {
		want, got := event.New(), literals[event.Name]()
		got.Spec.Timestamp = want.Spec.Timestamp
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: literal %+v, builder %+v", event.Name, got, want)
		}
	}
}
