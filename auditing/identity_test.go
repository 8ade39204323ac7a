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

func TestTimesAscendAfterASmallStepBackOfTheClock(t *testing.T) {
	ahead := time.Now().Add(800 * time.Millisecond)
	lastNow.Store(ahead.UnixNano())
	defer lastNow.Store(0)
	for want := ahead.UnixNano() + 1; want < ahead.UnixNano()+10; want++ {
		if got := now().UnixNano(); got != want {
			t.Fatalf("the next time is %d ns after the last one, want 1", got-want+1)
		}
	}
}

func TestTimesAreTheClocksAfterALargeStepBack(t *testing.T) {
	lastNow.Store(time.Now().Add(time.Hour).UnixNano())
	defer lastNow.Store(0)
	if ahead := time.Until(now()); ahead > time.Second {
		t.Errorf("the time is %v ahead of the clock", ahead)
	}
}
