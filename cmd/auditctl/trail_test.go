package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 250_000_000, time.UTC)

// stored returns an event as a component's sink stores it, i seconds after noon.
func stored(t *testing.T, component string, i int, in auditing.EventInput) *v1alpha1.AuditEvent {
	t.Helper()
	in.When = noon.Add(time.Duration(i) * time.Second)
	ae := auditing.NewEvent(in)
	ae.Name = fmt.Sprintf("ae-%s-%04d", component, i)
	e, err := driver.Prepare(ae, component)
	if err != nil {
		t.Fatal(err)
	}
	return e.Object()
}

// trail returns the events of the golden tests.
func trail(t *testing.T) []*v1alpha1.AuditEvent {
	return []*v1alpha1.AuditEvent{
		stored(t, "broker", 0, auditing.EventInput{
			Kind: "credential-issued", Decision: "granted", Namespace: "team-a", RunName: "hr-1", CredentialName: "github",
			MatchedPolicy: "default", Reason: "the policy default grants it",
			Actor: &v1alpha1.AuditActor{User: "system:serviceaccount:team-a:hr"},
		}),
		stored(t, "proxy", 5, auditing.EventInput{
			Kind: "egress-block", Decision: "denied", Namespace: "team-a", RunName: "hr-1", Host: "example.com", Port: 443,
			Reason: "example.com is in no policy of the run",
		}),
		stored(t, "proxy", 65, auditing.EventInput{
			Kind: "egress-block", Decision: "denied", Namespace: "team-b", RunName: "nightly-report-2026-04-25",
			Host: "db-7.eu-central-1.internal.example.com", Port: 22,
			Reason: "port 22 is allowed for nobody: ask the platform team for an exception and name the run, the host and the reason for it",
		}),
		stored(t, "proxy", 370, auditing.EventInput{
			Kind: "egress-block-summary", Decision: "denied", Namespace: "team-b", RunName: "nightly-report-2026-04-25", Count: 37,
			SampleDestinations: []v1alpha1.AuditDestination{{Host: "10.0.0.7", Port: 22}, {Host: "2001:db8::7", Port: 22}},
			Reason:             "37 connections were blocked",
		}),
		stored(t, "controller", 400, auditing.EventInput{
			Kind: "policy-applied", Decision: "warned", Namespace: "team-b", MatchedPolicy: "restricted", Reason: "東京の実行は方針に反する",
			Object: &v1alpha1.AuditObject{Group: "apps", Resource: "deployments", Namespace: "team-b", Name: "report"},
		}),
		stored(t, "proxy", 1200, auditing.EventInput{
			Kind: "egress-allow", Decision: "granted", Namespace: "team-a", RunName: "hr-2", Host: "api.github.com", Port: 443,
		}),
	}
}

// hostileTexts are what a workload may write to act on a terminal or a spreadsheet.
var hostileTexts = []string{
	"\x1b[2J\x1b]0;owned\x07", "\u202etxt.exe\u2066", "one\ntwo\r\tthree", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "a,b\"c", "\u009b31m\u2028",
}

// hostile returns events that have such a text in every field that a table shows.
func hostile(t *testing.T) []*v1alpha1.AuditEvent {
	var all []*v1alpha1.AuditEvent
	for i, text := range hostileTexts {
		ae := stored(t, "proxy", i, auditing.EventInput{Kind: "egress-block", Decision: "denied", Namespace: "team-a", RunName: "hr-1", Host: "h", Port: 1})
		// What lies in a file need not have gone through a sink of this project.
		ae.Namespace, ae.Labels[v1alpha1.LabelComponent] = text, text
		ae.Spec.Kind, ae.Spec.Decision = v1alpha1.AuditKind(text), v1alpha1.AuditDecision(text)
		ae.Spec.RunRef.Name, ae.Spec.Destination.Host, ae.Spec.Destination.Port, ae.Spec.Reason = text, text, 0, text
		ae.Spec.Actor = &v1alpha1.AuditActor{User: text}
		ae.Spec.Object = &v1alpha1.AuditObject{Resource: text}
		ae.Spec.Detail = map[string]string{text: text}
		all = append(all, ae)
	}
	return all
}

// lines returns a file of events.
func lines(events ...*v1alpha1.AuditEvent) string {
	var b strings.Builder
	for _, ae := range events {
		b.Write(eventjson.Append(nil, ae))
		b.WriteByte('\n')
	}
	return b.String()
}

// write writes a file into the working directory.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
