package kube_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

const benchRun = "harness-run-7f9c4"

// fromBuilders makes an event of every builder that a busy cluster uses, of the length that real ones have.
var fromBuilders = map[string]func(namespace string) *v1alpha1.AuditEvent{
	"EgressAllow": func(ns string) *v1alpha1.AuditEvent { return auditing.NewEgressAllow(egress(ns)) },
	"EgressBlock": func(ns string) *v1alpha1.AuditEvent { return auditing.NewEgressBlock(egress(ns)) },
	"EgressBlockLongReason": func(ns string) *v1alpha1.AuditEvent {
		in := egress(ns)
		in.Reason = strings.Repeat("a reason of 1,000 characters ", 35)[:1000]
		return auditing.NewEgressBlock(in)
	},
	"EgressBlockSummary": func(ns string) *v1alpha1.AuditEvent {
		now := time.Now()
		return auditing.NewEgressBlockSummary(auditing.EgressSummaryInput{
			RunName: benchRun, Namespace: ns, Count: 1200, WindowStart: now.Add(-time.Minute), WindowEnd: now,
			SampleDestinations: []v1alpha1.AuditDestination{{Host: "api.example.com", Port: 443}, {Host: "files.example.com", Port: 443}, {Host: "10.0.0.1", Port: 80}},
			MatchedPolicy:      "egress-default", Reason: "no rule of the policy allows it",
		})
	},
	"CredentialIssued": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewCredentialIssued(auditing.CredentialIssuedInput{
			RunName: benchRun, Namespace: ns, CredentialName: "GITHUB_TOKEN", Provider: "vault",
			MatchedPolicy: "broker-default", Reason: "the policy broker-default grants it to runs of this template",
		})
	},
	"CredentialDenied": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
			RunName: benchRun, Namespace: ns, CredentialName: "GITHUB_TOKEN", Provider: "vault",
			MatchedPolicy: "broker-default", Reason: "no rule of the policy grants it to runs of this template",
		})
	},
	"CredentialRenewed": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewCredentialRenewed(auditing.CredentialRenewedInput{
			RunName: benchRun, Namespace: ns, Provider: "vault", LeaseID: "auth/token/create/9dK2", ExpiresAt: time.Now().Add(time.Hour),
		})
	},
	"PolicyRejected": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewPolicyRejected(auditing.AdmissionInput{
			RunName: benchRun, Namespace: ns, TemplateRef: "echo", Reason: "the template asks for a host that the policy does not allow",
			OwnerRef: metav1.NewControllerRef(&metav1.ObjectMeta{Name: benchRun, UID: "0d6f2c1e-5a3b-4a55-9f0e-0f6a1b2c3d4e"},
				v1alpha1.GroupVersion.WithKind("HarnessRun")),
		})
	},
	"PromptSubmitted": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewPromptSubmitted(auditing.PromptAuditInput{
			RunName: benchRun, Namespace: ns, SubmitterSA: "system:serviceaccount:team-a:user-bot",
			PromptHash: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", PromptLength: 14200, TurnSeq: 3,
		})
	},
	"RunCompleted": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: benchRun, Namespace: ns, Reason: "the run ended with exit code 0"})
	},
	"ShellSessionOpened": func(ns string) *v1alpha1.AuditEvent {
		return auditing.NewShellSessionOpened(auditing.ShellOpenedInput{
			RunName: benchRun, Namespace: ns, SessionID: "shellsess-5b2c", SubmitterSA: "system:serviceaccount:team-a:user-bot",
			Target: "agent", Command: []string{"bash", "-l"},
		})
	},
}

func egress(namespace string) auditing.EgressInput {
	return auditing.EgressInput{
		RunName: benchRun, Namespace: namespace, Host: "api.example.com", Port: 443,
		MatchedPolicy: "egress-default", Reason: "CONNECT: decided by the policy egress-default",
	}
}

// BenchmarkSizeInEtcd says what an event of each builder takes: B/object are its key and value in etcd, B/event is
// by how much etcd's database grows with each, its pages and indexes included. Run it with -benchtime 2000x: with few
// events the pages of 4 KiB show.
func BenchmarkSizeInEtcd(b *testing.B) {
	server := testenv.SharedKube(b)
	sink := kube.Sink{Client: newClient(b, server.Config), Component: "proxy"}
	for _, name := range slices.Sorted(maps.Keys(fromBuilders)) {
		b.Run(name, func(b *testing.B) {
			ns := server.Namespace(b)
			prefix := "/registry/paddock.dev/auditevents/" + ns + "/"
			before, err := server.EtcdSize(b.Context(), prefix)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			create(b, sink, func() *v1alpha1.AuditEvent { return fromBuilders[name](ns) })
			b.StopTimer()
			after, err := server.EtcdSize(b.Context(), prefix)
			if err != nil {
				b.Fatal(err)
			}
			if after.Objects != int64(b.N) {
				b.Fatalf("etcd has %d events, want %d", after.Objects, b.N)
			}
			b.ReportMetric(float64(after.ObjectBytes)/float64(b.N), "B/object")
			b.ReportMetric(float64(after.InUse-before.InUse)/float64(b.N), "B/event")
		})
	}
}

// BenchmarkCreate shows what client-go's own limit does: a rest.Config that says nothing holds all writers of a
// client to 5 requests a second after the first 10.
func BenchmarkCreate(b *testing.B) {
	server := testenv.SharedKube(b)
	for _, limit := range []struct {
		name string
		qps  float32
	}{{"QPS=default", 0}, {"QPS=-1", -1}} {
		b.Run(limit.name, func(b *testing.B) {
			config := rest.CopyConfig(server.Config)
			config.QPS = limit.qps
			sink := kube.Sink{Client: newClient(b, config), Component: "proxy"}
			ns := server.Namespace(b)
			b.ResetTimer()
			create(b, sink, func() *v1alpha1.AuditEvent { return auditing.NewEgressBlock(egress(ns)) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// create writes b.N events by 32 writers.
func create(b *testing.B, sink auditing.Sink, event func() *v1alpha1.AuditEvent) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var writers sync.WaitGroup
	for range 32 {
		writers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := sink.Write(context.Background(), event()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
}
