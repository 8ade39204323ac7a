package deploytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	kubesink "github.com/paddock-dev/audit/sinks/kube"
)

// emitter returns a sink that writes as the component with the right to create events alone, in a cluster where
// components are given to their writers, so that it may trust their names.
func emitter(t *testing.T, namespace, component string) kubesink.Sink {
	t.Helper()
	give(t, map[string]string{component: accountName(namespace, component)})
	bind(t, "audit-emitter", "", account(namespace, component))
	sink := kubesink.Sink{Client: serviceAccount(t, namespace, component), Component: component, TrustNames: true}
	eventually(t, func() error { return sink.Client.Create(t.Context(), newEvent(namespace, component), client.DryRunAll) })
	return sink
}

// buildersEvents are what the builders return, one event for each row of the library's table.
func buildersEvents(t *testing.T, namespace string) (events []*v1alpha1.AuditEvent) {
	t.Helper()
	text, err := os.ReadFile("../../auditing/testdata/builders.json")
	must(t, err)
	var table struct {
		Rows []struct{ Want *v1alpha1.AuditEvent }
	}
	must(t, json.Unmarshal(text, &table))
	for _, row := range table.Rows {
		row.Want.Namespace = namespace
		if row.Want.Spec.Timestamp.IsZero() {
			row.Want.Spec.Timestamp.Time = time.Now()
		}
		events = append(events, row.Want)
	}
	return events
}

func TestEveryBuildersEventIsAdmitted(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	events := buildersEvents(t, namespace)
	for _, kind := range append(v1alpha1.KnownKinds(), "a-kind-of-somebody-elses") {
		for _, decision := range []v1alpha1.AuditDecision{"granted", "denied", "warned"} {
			events = append(events, auditing.NewEvent(auditing.EventInput{Namespace: namespace, Kind: kind, Decision: decision, RunName: "hr-1"}))
		}
	}
	for _, ae := range events {
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Errorf("%s %s: %v", ae.Spec.Kind, ae.Spec.Decision, err)
		}
	}
	t.Logf("%d events", len(events))
	checkStored(t, namespace, len(events))
}

// checkStored counts the events of a namespace and holds their labels against the library's own words.
func checkStored(t *testing.T, namespace string, want int) {
	t.Helper()
	var list v1alpha1.AuditEventList
	must(t, admin.List(t.Context(), &list, client.InNamespace(namespace)))
	if len(list.Items) != want {
		t.Errorf("%d events are stored, want %d", len(list.Items), want)
	}
	for _, ae := range list.Items {
		if ae.Labels[v1alpha1.LabelKind] != string(ae.Spec.Kind) || ae.Labels[v1alpha1.LabelDecision] != string(ae.Spec.Decision) {
			t.Errorf("stored out of step: %v", ae)
		}
	}
}

func TestEveryRunAndTimeIsAdmitted(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	runs := []string{
		"", "a", "HR_1.x", strings.Repeat("a", 52), strings.Repeat("a", 53), strings.Repeat("a", 63), strings.Repeat("a", 64),
		strings.Repeat("a", 1024), strings.Repeat("a", 2000), strings.Repeat("ü", 2000), longRun, wideRun, "-leading", "trailing-", "...", "- -", " ",
		"with space", "team/run", "line\nbreak", "tab\t", `"quoted" 'twice' \n`, strings.Repeat("é", 20) + strings.Repeat("abc", 20),
		strings.Repeat("日本語", 10), strings.Repeat("日本語", 30), strings.Repeat("日", 25) + "tail", "😀" + strings.Repeat("x", 70),
		strings.Repeat("x", 51) + "-" + strings.Repeat("y", 20), strings.Repeat("x", 61) + "日本", strings.Repeat("-", 60) + "a", "0123456789", "-0123456789",
	}
	times := []time.Time{
		time.Now(), time.Now().Truncate(time.Second), time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 500), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(2026, 6, 1, 12, 0, 0, 120000000, time.FixedZone("", 7200)),
	}
	n := 0
	for _, run := range runs {
		for _, when := range times {
			ae := auditing.NewEvent(auditing.EventInput{Namespace: namespace, Kind: "run-failed", Decision: "denied", RunName: run, When: when})
			if err := sink.Write(t.Context(), ae); err != nil {
				t.Errorf("run %q at %s: %v", run, when, err)
			}
			n++
		}
	}
	checkStored(t, namespace, n)
}

// The rule for the run's label against the library's own, for names of all shapes.
func TestPolicyTakesTheLabelsOfRandomRuns(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	random := rand.New(rand.NewPCG(1, 2))
	dryRun := kubesink.Sink{Client: client.NewDryRunClient(clientOf(t, sink)), Component: "broker"}
	for range 2000 {
		run := randomRun(random)
		ae := auditing.NewEvent(auditing.EventInput{Namespace: namespace, Kind: "run-failed", Decision: "denied", RunName: run})
		if err := dryRun.Write(t.Context(), ae); err != nil {
			t.Errorf("run %q: %v", run, err)
		}
	}
}

// clientOf returns the whole client of a sink that emitter has made.
func clientOf(t *testing.T, sink kubesink.Sink) client.Client {
	t.Helper()
	c, ok := sink.Client.(client.Client)
	if !ok {
		t.Fatalf("the client of the sink is a %T", sink.Client)
	}
	return c
}

// randomRun is made of few characters, so that its beginning often is all that a label keeps or drops.
func randomRun(random *rand.Rand) string {
	alphabets := [][]string{
		{"a", "Z", "0", "9"},
		{"a", "-", "_", "."},
		{"a", " ", "ü"},
		{"-", "日", "a"},
		{"a", "/", "😀", "-"},
		{"0", "f", "-"},
		{"a", "\xff", "\xf0\x90"},
		{"\xe2", "b", "日"},
	}
	alphabet := alphabets[random.IntN(len(alphabets))]
	length := 1 + random.IntN(90)
	if random.IntN(20) == 0 {
		length += v1alpha1.MaxNameLength
	}
	var name strings.Builder
	for range length {
		name.WriteString(alphabet[random.IntN(len(alphabet))])
	}
	return name.String()
}

func TestARetryOfANamedEventIsOneEventUnderTheEmitterRole(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	ae := newEvent(namespace, "broker")
	ae.Name = "" // for the library
	for range 3 {
		must(t, sink.Write(t.Context(), ae))
	}
	checkStored(t, namespace, 1)

	own := newEvent(namespace, "broker")
	own.Name = "a-name-of-its-own"
	must(t, sink.Write(t.Context(), own))
	err := sink.Write(t.Context(), own)
	if class, _ := driver.ClassOf(err); class != auditing.ClassTransient || !strings.Contains(err.Error(), "without the right to patch") {
		t.Errorf("%s: %v", class, err)
	}
	checkStored(t, namespace, 2)
}

// While an event waits, its name is in the log lines of failed attempts. Another account with the right to create events
// reads the name there and creates an event of that name first.
func TestTakenNameIsNotTakenForTheEvent(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	bind(t, "audit-emitter", "", account(namespace, "attacker"))
	attacker := serviceAccount(t, namespace, "attacker")
	ae := auditing.NewEgressBlock(auditing.EgressInput{RunName: "hr-1", Namespace: namespace, Host: "evil.example.com"})
	failing := kubesink.Sink{Client: client.NewDryRunClient(clientOf(t, sink)), Component: "broker"}
	must(t, failing.Write(t.Context(), ae)) // it has its name now, and is not stored

	take := func(component string) error {
		other := auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: namespace})
		if component != "" {
			other.Labels[v1alpha1.LabelComponent] = component
		}
		other.Name = ae.Name
		return attacker.Create(t.Context(), other)
	}
	for _, component := range []string{"", "attacker", "broker"} {
		checkRefusal(t, take(component), wanted{writersPolicy, []string{"broker"}})
	}
	must(t, sink.Write(t.Context(), ae))
	checkStored(t, namespace, 1)

	// Without a mapping the policy keeps no name, and a sink that trusts none says so.
	setMapping(t, nil)
	ae = auditing.NewEgressBlock(auditing.EgressInput{RunName: "hr-1", Namespace: namespace, Host: "evil.example.com"})
	must(t, failing.Write(t.Context(), ae))
	eventually(t, func() error { return ignoreExists(take("")) })
	sink.TrustNames = false
	if err := sink.Write(t.Context(), ae); err == nil || !strings.Contains(err.Error(), "right to patch") {
		t.Errorf("the name is taken, and the write gives %v", err)
	}
}

func TestTheVerifyingEmitterTellsARetryFromACollision(t *testing.T) {
	namespace := kube.Namespace(t)
	give(t, map[string]string{"controller": accountName(namespace, "controller")})
	bind(t, "audit-emitter-verifying", "", account(namespace, "controller"))
	sink := kubesink.Sink{Client: serviceAccount(t, namespace, "controller"), Component: "controller"}
	own := newEvent(namespace, "controller")
	own.Name = "a-name-of-its-own"
	eventually(t, func() error { return sink.Write(t.Context(), own) })
	before := raw(t, own)
	must(t, sink.Write(t.Context(), own))
	other := newEvent(namespace, "controller")
	other.Name = own.Name
	err := sink.Write(t.Context(), other)
	if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !strings.Contains(err.Error(), "another event has this name") {
		t.Errorf("a collision: %s: %v", class, err)
	}
	if after := raw(t, own); !equal(before, after) {
		t.Errorf("before %v\nafter  %v", before, after)
	}
}

// writeAtOnce writes from one goroutine for each event and returns the errors.
func writeAtOnce(t *testing.T, sink auditing.Sink, events []*v1alpha1.AuditEvent) []error {
	t.Helper()
	errs := make([]error, len(events))
	var wg sync.WaitGroup
	for i, ae := range events {
		wg.Go(func() {
			if err := sink.Write(t.Context(), ae); err != nil {
				errs[i] = fmt.Errorf("%s: %w", ae.Name, err)
			}
		})
	}
	wg.Wait()
	return errs
}
