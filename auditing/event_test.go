package auditing

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func TestBrokerUnavailableKeepsEndpointAndErrorInDetail(t *testing.T) {
	ae := NewBrokerUnavailable(BrokerUnavailableInput{
		RunName: run, Namespace: ns, Endpoint: "broker:8443", Error: "connection refused", Reason: reason, When: noon,
	})
	wantSpec(t, ae, "ae-broker-", v1alpha1.AuditEventSpec{
		RunRef: &v1alpha1.LocalReference{Name: run}, Decision: v1alpha1.AuditDecisionDenied,
		Kind: v1alpha1.AuditKindBrokerUnavailable, Timestamp: metav1.NewTime(noon), Reason: reason,
		Detail: map[string]string{"endpoint": "broker:8443", "error": "connection refused"},
	})
}

func TestNewEgressBlockSummaryStandsForManyDenials(t *testing.T) {
	start, end := metav1.NewTime(noon.Add(-time.Minute)), metav1.NewTime(noon)
	in := EgressSummaryInput{
		RunName: run, Namespace: ns, Count: 1200, WindowStart: start.Time, WindowEnd: end.Time,
		SampleDestinations: samples, MatchedPolicy: policy, Reason: reason,
	}
	want := v1alpha1.AuditEventSpec{
		RunRef: &v1alpha1.LocalReference{Name: run}, Decision: v1alpha1.AuditDecisionDenied,
		Kind: v1alpha1.AuditKindEgressBlockSummary, Timestamp: end, Reason: reason,
		MatchedPolicy: &v1alpha1.LocalReference{Name: policy}, Count: 1200,
		SampleDestinations: samples, WindowStart: &start, WindowEnd: &end,
	}
	wantSpec(t, NewEgressBlockSummary(in), "ae-egress-", want)

	in.When, in.Decision = noon.Add(time.Hour), v1alpha1.AuditDecisionWarned
	want.Timestamp, want.Decision = metav1.NewTime(in.When), in.Decision
	wantSpec(t, NewEgressBlockSummary(in), "ae-egress-", want)
}

func TestNewEventReachesEveryFieldOfSpec(t *testing.T) {
	in := eventInput
	in.SampleDestinations = samples
	in.Actor, in.Object = &v1alpha1.AuditActor{User: "alice"}, &v1alpha1.AuditObject{Name: "web"}
	in.Request, in.Trace = &v1alpha1.AuditRequest{ID: "1"}, &v1alpha1.AuditTrace{TraceID: "2"}
	ae := NewEvent(in)
	spec := reflect.ValueOf(ae.Spec)
	for i := range spec.NumField() {
		if spec.Field(i).IsZero() {
			t.Errorf("NewEvent leaves spec.%s empty", spec.Type().Field(i).Name)
		}
	}
	if len(ae.OwnerReferences) != 1 || ae.GenerateName != "ae-" || *ae.Spec.Credential != (v1alpha1.AuditCredential{
		Name: "TOKEN", Provider: "Vault", Purpose: "push",
	}) {
		t.Errorf("owner, name or credential is wrong: %+v", ae)
	}
}

func wantSpec(t *testing.T, ae *v1alpha1.AuditEvent, generateName string, spec v1alpha1.AuditEventSpec) {
	t.Helper()
	want := &v1alpha1.AuditEvent{Spec: spec}
	want.Namespace, want.GenerateName = ns, generateName
	want.Labels = map[string]string{
		v1alpha1.LabelDecision: string(spec.Decision), v1alpha1.LabelKind: string(spec.Kind), v1alpha1.LabelRun: run,
	}
	if !reflect.DeepEqual(ae, want) {
		t.Errorf("got  %s\nwant %s", indented(t, ae), indented(t, want))
	}
}

func TestAnEmptyInputLeavesNoEmptyEntriesAndNoReferences(t *testing.T) {
	empty := func(any) {}
	for name, b := range builders {
		_, ae := b.filled(empty)
		for k, v := range ae.Spec.Detail {
			if v == "" {
				t.Errorf("%s: detail %q is empty", name, k)
			}
		}
		if s := ae.Spec; s.RunRef != nil || s.MatchedPolicy != nil || s.Credential != nil || s.Destination != nil ||
			s.WindowStart != nil || s.WindowEnd != nil {
			t.Errorf("%s: an empty input has references: %+v", name, s)
		}
		if _, ok := ae.Labels[v1alpha1.LabelRun]; ok || len(ae.OwnerReferences) > 0 {
			t.Errorf("%s: an empty input has a run label or an owner", name)
		}
	}
}

func TestZerosThatAreFactsStayInDetail(t *testing.T) {
	for _, c := range []struct {
		ae   *v1alpha1.AuditEvent
		want map[string]string
	}{
		{NewPromptSubmitted(PromptAuditInput{}), map[string]string{"promptLength": "0", "turnSeq": "0"}},
		{NewPromptCompleted(PromptCompletedInput{}), map[string]string{"turnSeq": "0", "durationMs": "0", "eventCount": "0"}},
		{NewShellSessionClosed(ShellClosedInput{}), map[string]string{"durationMs": "0", "byteCount": "0"}},
	} {
		if !reflect.DeepEqual(c.ae.Spec.Detail, c.want) {
			t.Errorf("%s: detail %v, want %v", c.ae.Spec.Kind, c.ae.Spec.Detail, c.want)
		}
	}
}

func TestADecisionThatIsNotGivenIsTheImpliedOne(t *testing.T) {
	const granted, denied, warned = v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned
	for _, c := range []struct {
		ae   *v1alpha1.AuditEvent
		want v1alpha1.AuditDecision
	}{
		{NewEgressAllow(EgressInput{}), granted},
		{NewEgressDiscoveryAllow(EgressInput{}), granted},
		{NewEgressBlock(EgressInput{}), denied},
		{NewEgressBlock(EgressInput{Decision: warned}), warned},
		{NewEgressBlock(EgressInput{Decision: "maybe"}), "maybe"},
		{NewEgressBlock(EgressInput{Kind: "egress-allow"}), denied},
		{NewEgressBlockSummary(EgressSummaryInput{}), denied},
		{NewRunFailed(RunDecisionInput{}), denied},
		{NewRunCompleted(RunDecisionInput{}), granted},
		{NewRunCompleted(RunDecisionInput{Decision: "maybe"}), "maybe"},
		{NewInteractiveRunTerminated(InteractiveRunTerminatedInput{Reason: "idle"}), granted},
		{NewInteractiveRunTerminated(InteractiveRunTerminatedInput{Reason: "error"}), warned},
		{NewInteractiveRunTerminated(InteractiveRunTerminatedInput{Reason: "error", Decision: denied}), denied},
		{NewEvent(EventInput{}), ""},
	} {
		if c.ae.Spec.Decision != c.want || c.ae.Labels[v1alpha1.LabelDecision] != string(c.want) {
			t.Errorf("%s: decision %q, label %q, want %q", c.ae.Spec.Kind, c.ae.Spec.Decision, c.ae.Labels[v1alpha1.LabelDecision], c.want)
		}
	}
}

func TestAKindOfTheCallersOwnReplacesTheKindOfEgress(t *testing.T) {
	for _, build := range []func(EgressInput) *v1alpha1.AuditEvent{NewEgressAllow, NewEgressBlock, NewEgressDiscoveryAllow} {
		ae := build(EgressInput{Kind: "egress-probe"})
		if ae.Spec.Kind != "egress-probe" || ae.Labels[v1alpha1.LabelKind] != "egress-probe" {
			t.Errorf("kind %q, label %q", ae.Spec.Kind, ae.Labels[v1alpha1.LabelKind])
		}
	}
}

func TestWhatTheSchemaHasNoRoomForGoesIntoDetail(t *testing.T) {
	beyond := time.Date(12026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, c := range []struct {
		name string
		ae   *v1alpha1.AuditEvent
		want map[string]string
	}{
		{"port above", NewEgressBlock(EgressInput{Host: "h", Port: 70000}), map[string]string{"port": "70000"}},
		{"port below", NewEgressBlock(EgressInput{Port: -1}), map[string]string{"port": "-1"}},
		{"count", NewCredentialIssued(CredentialIssuedInput{Count: -3}), map[string]string{"count": "-3"}},
		{"time", NewRunFailed(RunDecisionInput{When: beyond}), map[string]string{"when": "12026-01-02T03:04:05.000000006Z"}},
		{"window", NewEgressBlockSummary(EgressSummaryInput{WindowEnd: beyond}), map[string]string{"windowEnd": "12026-01-02T03:04:05.000000006Z"}},
		{
			"beside the caller's own", NewEvent(EventInput{Port: -1, Detail: map[string]string{"port": "left"}}),
			map[string]string{"port": "left", "port#2": "-1"},
		},
	} {
		if !reflect.DeepEqual(c.ae.Spec.Detail, c.want) {
			t.Errorf("%s: detail %v, want %v", c.name, c.ae.Spec.Detail, c.want)
		}
		if s := c.ae.Spec; s.Count != 0 || s.WindowEnd != nil || s.Timestamp.IsZero() || s.Timestamp.Year() > 9999 ||
			s.Destination != nil && (s.Destination.Port != 0 || s.Destination.Host == "") {
			t.Errorf("%s: spec holds it too: %+v", c.name, s)
		}
	}
}

func TestAPortWithoutAHostIsADestination(t *testing.T) {
	ae := NewEgressAllow(EgressInput{Port: 443})
	if d := ae.Spec.Destination; d == nil || *d != (v1alpha1.AuditDestination{Port: 443}) {
		t.Errorf("destination %+v", d)
	}
}

func TestEventsRecordedNowHaveDistinctTimesInTheirOrder(t *testing.T) {
	last := time.Now().Add(-time.Second)
	for range 1000 {
		when := NewRunFailed(RunDecisionInput{}).Spec.Timestamp.Time
		if !when.After(last) {
			t.Fatalf("%v does not come after %v", when, last)
		}
		last = when
	}
	if d := time.Since(last); d < -time.Second || d > time.Minute {
		t.Errorf("the present is off by %v", d)
	}
}

func TestAnEventHoldsCopiesOfWhatItsInputPointsTo(t *testing.T) {
	in := eventInput
	in.Detail = map[string]string{"k": "v"}
	in.SampleDestinations = []v1alpha1.AuditDestination{{Host: "a"}}
	in.OwnerRef = owner.DeepCopy()
	ae := NewEvent(in)
	before := ae.DeepCopy()
	in.Detail["k"], in.SampleDestinations[0].Host = "changed", "changed"
	in.OwnerRef.Name, *in.OwnerRef.Controller, *in.OwnerRef.BlockOwnerDeletion = "changed", false, false
	if !reflect.DeepEqual(ae, before) {
		t.Errorf("a change of the input reaches the event: %s", indented(t, ae))
	}
	if !reflect.DeepEqual(&ae.OwnerReferences[0], owner) {
		t.Errorf("owner %+v, want %+v", ae.OwnerReferences[0], owner)
	}
}

func TestExpiryIsInUTC(t *testing.T) {
	at := time.Date(2026, 4, 25, 14, 30, 0, 5, time.FixedZone("", 2*3600))
	ae := NewCredentialRenewed(CredentialRenewedInput{ExpiresAt: at})
	if got := ae.Spec.Detail["expiresAt"]; got != "2026-04-25T12:30:00Z" {
		t.Errorf("expiresAt %q", got)
	}
}

func TestTamperedCredentialsWithoutKeysHaveAReasonAllTheSame(t *testing.T) {
	ae := NewBrokerCredsTampered(BrokerCredsTamperedInput{})
	if ae.Spec.Reason != prunedReason || ae.Spec.Detail != nil {
		t.Errorf("reason %q, detail %v", ae.Spec.Reason, ae.Spec.Detail)
	}
}

func TestARecordedCommandIsReadBackByAShellAsTheSameArguments(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a POSIX shell")
	}
	for _, args := range [][]string{
		{"/bin/bash", "-l"},
		{"sh", "-c", "echo a b"},
		{""},
		{"a b", "a", "b"},
		{"'", "''", `"`, `\`, "$HOME", "`id`", "*", "~", "a\nb", "é", "#", "!", "a'b'", "FOO=bar"},
	} {
		line := quoteCommand(args)
		out, err := exec.CommandContext(t.Context(), shell, "-c", "printf '%s\\0' "+line).Output()
		if err != nil {
			t.Fatalf("sh refuses %s: %v", line, err)
		}
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !reflect.DeepEqual(got, args) {
			t.Errorf("%s is read back as %q, want %q", line, got, args)
		}
	}
}
