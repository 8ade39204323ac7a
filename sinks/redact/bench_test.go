package redact_test

import (
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/redact"
)

// tenRules are of all actions, for all kinds of fields; three have a pattern.
var tenRules = []redact.Rule{
	{Fields: []string{"spec.object.*", "spec.request.verb"}, Action: redact.Keep},
	{Fields: []string{"spec.actor.user", "spec.actor.serviceAccount"}, Action: redact.HMAC},
	{Fields: []string{"spec.actor.userAgent"}, Action: redact.Drop},
	{Fields: []string{"spec.actor.sourceAddress"}, Action: redact.Mask},
	{Fields: []string{"spec.runRef.name"}, Action: redact.HMAC},
	{Kinds: []string{"prompt-*"}, Fields: []string{"*"}, Action: redact.Mask},
	{Fields: []string{"spec.detail.password", "spec.detail.*-token"}, Action: redact.Drop},
	{Fields: []string{"spec.reason"}, Pattern: `ghp_[A-Za-z0-9]{36}`, Action: redact.Mask},
	{Fields: []string{"spec.reason", "spec.detail.*"}, Pattern: `xox[bp]-[0-9a-z-]+`, Action: redact.Mask},
	{Fields: []string{"spec.destination.host"}, Pattern: `^internal\.`, Action: redact.Drop},
}

// measured is a denial with the facts of a request.
func measured() *v1alpha1.AuditEvent {
	ae := auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-1", Namespace: "team-a", Host: "api.example.com", Port: 443,
		MatchedPolicy: "demo-policy", Reason: "no policy allows api.example.com:443", When: noon,
	})
	ae.Spec.Detail = map[string]string{"method": "GET", "path": "/v1/models", "quota": "10"}
	ae.Spec.Actor = &v1alpha1.AuditActor{
		User: "jane@example.com", Groups: []string{"developers", "system:authenticated"}, SourceAddress: "192.0.2.7", UserAgent: "kubectl/v1.37",
	}
	ae.Spec.Object = &v1alpha1.AuditObject{Group: "apps", Resource: "deployments", Namespace: "team-a", Name: "web"}
	ae.Spec.Request = &v1alpha1.AuditRequest{ID: "705ab4f5-6393-11e8-b7cc-42010a800002", Verb: "UPDATE"}
	return ae
}

// BenchmarkRedact compares redacting an event with encoding it, which every
// destination does. The aim is at most twice the time. It takes turns with both and
// compares the medians, because what else the machine does then slows both down. What
// the garbage collector does at times is in neither median.
func BenchmarkRedact(b *testing.B) {
	e, err := driver.Prepare(measured(), "proxy")
	if err != nil {
		b.Fatal(err)
	}
	buffer := e.AppendJSON(nil)
	encode := func() { buffer = e.AppendJSON(buffer[:0]) }
	for _, c := range []struct {
		name  string
		rules []redact.Rule
	}{{"one rule of another kind", tenRules[5:6]}, {"ten rules", tenRules}} {
		b.Run(c.name, func(b *testing.B) {
			change, err := redact.Redactor(redact.Options{Rules: c.rules, Keys: keys()})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var redacting, encoding []time.Duration
			for b.Loop() {
				encoding = append(encoding, took(encode))
				redacting = append(redacting, took(func() { kept = change(e) }))
			}
			slices.Sort(encoding)
			slices.Sort(redacting)
			encodes, redacts := encoding[len(encoding)/2]/turn, redacting[len(redacting)/2]/turn
			b.ReportMetric(0, "ns/op") // of a turn of both
			b.ReportMetric(float64(encodes), "ns/encode")
			b.ReportMetric(float64(redacts), "ns/redact")
			b.ReportMetric(float64(redacts)/float64(encodes), "times")
		})
	}
}

// turn is how often something is done before the other has its turn.
const turn = 64

var kept *driver.Event

func took(do func()) time.Duration {
	start := time.Now()
	for range turn {
		do()
	}
	return time.Since(start)
}
