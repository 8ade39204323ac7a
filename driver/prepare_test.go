package driver_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// ended returns an event without a name, of that time.
func ended(when time.Time) *v1alpha1.AuditEvent {
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: ns, When: when})
	ae.Labels[v1alpha1.LabelComponent] = "controller"
	return ae
}

func TestPrepareNamesTheEventInPlace(t *testing.T) {
	ae := ended(noon)
	e := prepared(t, ae)
	if !strings.HasPrefix(ae.Name, "ae-run-") || !strings.HasSuffix(ae.Name, "-controller") || e.Name() != ae.Name || !e.NamedByLibrary() {
		t.Errorf("named %q, the event %q, by this library: %t", ae.Name, e.Name(), e.NamedByLibrary())
	}
	bare := auditing.NewEvent(auditing.EventInput{Kind: "bare", Decision: v1alpha1.AuditDecisionDenied})
	bare.GenerateName = ""
	if e := prepared(t, bare); !strings.HasPrefix(e.Name(), "ae-") || e.NamedByLibrary() {
		t.Errorf("an event without generateName and component is named %q", e.Name())
	}
}

func TestANameThatTheCallerGaveStays(t *testing.T) {
	ae := ended(noon)
	ae.Name = "mine"
	if e := prepared(t, ae); ae.Name != "mine" || e.Name() != "mine" || e.NamedByLibrary() {
		t.Errorf("name %q, by this library: %v", e.Name(), e.NamedByLibrary())
	}
}

func TestNamesOfOneTimeSortInTheOrderOfPrepare(t *testing.T) {
	var last string
	for range 1000 {
		name := prepared(t, ended(noon)).Name()
		if name <= last {
			t.Fatalf("%s does not sort after %s", name, last)
		}
		last = name
	}
}

func TestIdentityIsStableAcrossCallsAndThroughJSON(t *testing.T) {
	for _, when := range []time.Time{noon, noon.Truncate(time.Second), time.Date(1960, 1, 1, 0, 0, 0, 42, time.UTC)} {
		ae := ended(when)
		e := prepared(t, ae)
		first := indented(t, ae)
		if again := prepared(t, ae); indented(t, ae) != first || !bytes.Equal(again.JSON(), e.JSON()) {
			t.Errorf("prepared again: %s, was %s", indented(t, ae), first)
		}
		back := &v1alpha1.AuditEvent{}
		if err := json.Unmarshal([]byte(first), back); err != nil {
			t.Fatal(err)
		}
		again := prepared(t, back)
		if !again.Time().Equal(when) {
			t.Errorf("through JSON the time is %v, want %v", again.Time(), when)
		}
		if indented(t, back) != first || !bytes.Equal(again.JSON(), e.JSON()) {
			t.Errorf("prepared after JSON: %s, was %s", indented(t, back), first)
		}
		if !again.NamedByLibrary() {
			t.Errorf("after JSON %q is not known as a name of this library's", again.Name())
		}
	}
}

func TestLabelsRepeatSpecWhateverStoodThere(t *testing.T) {
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{When: noon})
	ae.Labels = map[string]string{
		v1alpha1.LabelRun: "forged", v1alpha1.LabelDecision: "granted", v1alpha1.LabelComponent: "forged", "team": "a",
	}
	e, err := driver.Prepare(ae, "controller")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		v1alpha1.LabelDecision: "denied", v1alpha1.LabelKind: "run-failed", v1alpha1.LabelComponent: "controller", "team": "a",
	}
	if indented(t, ae.Labels) != indented(t, want) || indented(t, e.Object().Labels) != indented(t, want) {
		t.Errorf("labels %v, the event's %v, want %v", ae.Labels, e.Object().Labels, want)
	}
}

func TestPrepareWithoutAComponentLeavesTheLabel(t *testing.T) {
	ae := denial()
	ae.Labels[v1alpha1.LabelComponent] = "mine"
	if e := prepared(t, ae); e.Component() != "mine" {
		t.Errorf("component %q", e.Component())
	}
	if e := prepared(t, denial()); e.Component() != "" {
		t.Errorf("component %q", e.Component())
	}
}
