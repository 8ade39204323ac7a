package auditing

import (
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func TestEventTimeIsThatOfTheAnnotation(t *testing.T) {
	ae := NewRunFailed(RunDecisionInput{When: noon.Truncate(time.Second)})
	ae.Annotations = map[string]string{v1alpha1.AnnotationTimestamp: noon.Format(time.RFC3339Nano)}
	if got := EventTime(ae); !got.Equal(noon) {
		t.Errorf("time %v, want %v", got, noon)
	}
}

func TestAnAnnotationOfAnotherTimeIsNotBelieved(t *testing.T) {
	for _, text := range []string{"", "garbage", noon.Add(time.Second).Format(time.RFC3339Nano)} {
		ae := NewRunFailed(RunDecisionInput{When: noon.Truncate(time.Second)})
		ae.Annotations = map[string]string{v1alpha1.AnnotationTimestamp: text}
		if got := EventTime(ae); !got.Equal(noon.Truncate(time.Second)) {
			t.Errorf("annotation %q: time %v", text, got)
		}
	}
}

func TestRunLabelIsThatOfTheBuilders(t *testing.T) {
	for _, run := range []string{"hr-1", "hr 1/" + text(80)} {
		if got, want := NewRunFailed(RunDecisionInput{RunName: run}).Labels[v1alpha1.LabelRun], RunLabel(run); got != want {
			t.Errorf("run %q: label %q, RunLabel %q", run, got, want)
		}
	}
}
