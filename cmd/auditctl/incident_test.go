package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/spool"
)

// incidentNow is when docs/reading.md asks: a quarter of an hour after the first denial.
var incidentNow = time.Date(2026, 4, 26, 3, 25, 0, 0, time.UTC)

// writeIncident writes the trail of docs/reading.md into the working directory, at the times of its events: the logs
// broker.log, proxy.log and controller.log, the spool of the controller, and lake.ndjson, which is what the lake has.
func writeIncident(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := &incident{sinks: map[string]auditing.Sink{}, rand: rand.NewChaCha8([32]byte{})}
		for _, w := range incidentEvents() {
			i.write(t, w.component, w.event)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, s := range i.sinks {
			if err := auditing.Close(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		write(t, "lake.ndjson", i.lake.text.String())
	})
}

// incident is the components' chains, and what they write to.
type incident struct {
	lake  lake
	sinks map[string]auditing.Sink
	rand  *rand.ChaCha8
}

// write writes an event at its time.
func (i *incident) write(t *testing.T, component string, ae *v1alpha1.AuditEvent) {
	t.Helper()
	at := ae.Spec.Timestamp.Time
	time.Sleep(time.Until(at))
	id, err := ulid.New(ulid.Timestamp(at), i.rand)
	if err != nil {
		t.Fatal(err)
	}
	ae.Name = ae.GenerateName + strings.ToLower(id.String()) + "-" + component
	if i.sinks[component] == nil { // no earlier, because a spool has timers
		i.sinks[component] = i.open(t, component)
	}
	if err := i.sinks[component].Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // until the spool has delivered
}

// open makes the chain of a component: a log file, and the lake, for the controller behind a spool.
func (i *incident) open(t *testing.T, component string) auditing.Sink {
	t.Helper()
	file, err := log.NewFile(component+".log", log.FileOptions{Options: log.Options{Component: component}})
	if err != nil {
		t.Fatal(err)
	}
	next := auditing.Sink(driver.New(&i.lake))
	if component == "controller" {
		if next, err = spool.New("spool", next, spool.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	chain, err := multi.New([]multi.Child{{Name: "file", Sink: file}, {Name: "lake", Sink: next}}, multi.Options{Component: component})
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// lake is a store that refuses long entries, as a tenant's limit in Loki does.
type lake struct {
	driver.Base
	text strings.Builder
}

const maxEntry = 1024

func (*lake) Info() driver.Info { return driver.Info{Name: "loki", Level: auditing.LevelAccepted} }

func (l *lake) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(_ context.Context, e *driver.Event) error {
		line := e.AppendJSON(nil)
		if len(line) > maxEntry {
			return driver.Permanent(fmt.Errorf("400: the entry has %d bytes, %d are allowed", len(line), maxEntry))
		}
		l.text.Write(append(line, '\n')) // events come one by one
		return nil
	})
}

// written is an event and the component that writes it.
type written struct {
	component string
	event     *v1alpha1.AuditEvent
}

// incidentEvents are the events of a night and of the one before, in the order of their time.
func incidentEvents() (all []written) {
	add := func(component string, ae *v1alpha1.AuditEvent) { all = append(all, written{component, ae}) }
	before, night := time.Date(2026, 4, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 26, 0, 0, 0, 0, time.UTC)

	add("broker", granted("invoices-0425", "git-readonly", before.Add(3*time.Hour+2*time.Second)))
	add("broker", granted("invoices-0425", "warehouse-reader", before.Add(3*time.Hour+12*time.Minute+5*time.Second)))
	add("proxy", auditing.NewEgressAllow(egress("billing", "invoices-0425", "warehouse.internal", 5432, "rule warehouse", before.Add(3*time.Hour+12*time.Minute+6*time.Second))))
	add("controller", policyApplied(night.Add(time.Hour+58*time.Minute+41*time.Second)))
	add("broker", granted("invoices-0426", "git-readonly", night.Add(3*time.Hour+2*time.Second)))
	add("proxy", auditing.NewEgressAllow(egress("team-a", "hr-7", "api.github.com", 443, "rule github", night.Add(3*time.Hour+3*time.Minute))))
	add("proxy", auditing.NewEgressBlock(egress("team-a", "hr-7", "paste.example.com", 443, "no rule allows it", night.Add(3*time.Hour+5*time.Minute+31*time.Second))))
	for _, second := range []time.Duration{7, 9, 13, 21} {
		add("broker", auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
			RunName: "invoices-0426", Namespace: "billing", CredentialName: "warehouse-reader", Provider: "vault", MatchedPolicy: "nightly",
			Reason: "not in the policy", When: night.Add(3*time.Hour + 12*time.Minute + second*time.Second),
		}))
	}
	fallback := night.Add(3*time.Hour + 12*time.Minute + 22*time.Second)
	add("proxy", auditing.NewEgressBlock(egress("billing", "invoices-0426", "replica.internal", 5432, "no rule allows it", fallback)))
	add("proxy", auditing.NewEgressBlockSummary(auditing.EgressSummaryInput{
		RunName: "invoices-0426", Namespace: "billing", Count: 212, WindowStart: fallback, WindowEnd: fallback.Add(5 * time.Minute),
		SampleDestinations: []v1alpha1.AuditDestination{{Host: "replica.internal", Port: 5432}}, Reason: "no rule allows it",
	}))
	add("controller", auditing.NewRunFailed(auditing.RunDecisionInput{
		RunName: "invoices-0426", Namespace: "billing", Reason: "exit code 3: no warehouse", When: night.Add(3*time.Hour + 18*time.Minute),
	}))
	return all
}

// granted is a credential that the policy nightly grants.
func granted(run, credential string, when time.Time) *v1alpha1.AuditEvent {
	return auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
		RunName: run, Namespace: "billing", CredentialName: credential, Provider: "vault", MatchedPolicy: "nightly",
		Reason: "in the policy", When: when,
	})
}

func egress(namespace, run, host string, port int, reason string, when time.Time) auditing.EgressInput {
	return auditing.EgressInput{RunName: run, Namespace: namespace, Host: host, Port: port, Reason: reason, When: when}
}

// policyApplied is the change of the policy, which is too long for the lake.
func policyApplied(when time.Time) *v1alpha1.AuditEvent {
	policy := func(generation int, credential string) string {
		return fmt.Sprintf(`generation: %d
runs: ["invoices-*"]
credentials:
- {name: git-readonly, provider: vault, maxDuration: 1h}
- {name: %s, provider: vault, maxDuration: 20m}
egress: ["warehouse.internal:5432"]
`, generation, credential)
	}
	return auditing.NewEvent(auditing.EventInput{
		Kind: v1alpha1.AuditKindPolicyApplied, Decision: v1alpha1.AuditDecisionGranted, Namespace: "billing", MatchedPolicy: "nightly",
		Reason:  "generation 14 replaces generation 13",
		Actor:   &v1alpha1.AuditActor{User: "system:serviceaccount:ci:deployer", UserAgent: "kubectl/v1.37.2"},
		Object:  &v1alpha1.AuditObject{Group: "paddock.dev", Resource: "policies", Namespace: "billing", Name: "nightly"},
		Request: &v1alpha1.AuditRequest{ID: "0d7c0a5e-7f0e-4c0b-9c1f-6a2f8f1f2b11", Verb: "UPDATE"},
		Detail: map[string]string{
			"commit": "9f31c2e rename warehouse-reader to warehouse-read",
			"before": policy(13, "warehouse-reader"), "after": policy(14, "warehouse-read"),
		},
		When: when,
	})
}
