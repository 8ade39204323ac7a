package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// sealed writes old events of the proxy, sealed with a new long-term key, and returns its halves.
func sealed(t *testing.T, c client.Client, ns string, n int) (private, public string) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "prod")
	if err != nil {
		t.Fatal(err)
	}
	authority, err := seal.LongTermKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(kube.Sink{Client: c}, seal.Options{Component: "proxy", Cluster: "prod", Namespace: ns, Authority: authority})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ae := auditing.NewEvent(auditing.EventInput{
			Namespace: ns, Kind: "egress-allow", Decision: v1alpha1.AuditDecisionGranted, Reason: "a test", When: later().Add(-8 * day),
		})
		ae.Name = fmt.Sprintf("sealed-%d", i)
		if err := s.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return private, public
}

func TestOnceNamesSealedEventsInItsOwnServer(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	private, public := sealed(t, c, ns, 5)
	disk := filepath.Join(t.TempDir(), "archive.log")
	audit := write(t, "audit.yaml", auditHead+`sinks:
  disk: {type: log, path: `+disk+`, fsync: true}
  cluster: {type: kube, checkNamespace: `+ns+`}
  sealed: {type: seal, next: cluster, cluster: prod, namespace: `+ns+`, key: {file: `+write(t, "reaper.key", private)+`}}
components:
  archive: {sink: disk}
  audit-reaper: {sink: sealed}
`)
	flags := []string{"-kubeconfig", kubeconfig(t, server.Config), "-config", retentionFor(t, ns, ""), "-namespace", ns, "-audit-config", audit}
	for want, more := range map[string][]string{
		"disk is no sink of type seal by its own name":                           {"-tombstones", "disk"},
		"sink cluster: the archive must not be the API server that events are":   {"-archive", "cluster"},
		"sink cluster: the archive must not be the API server that events are d": {"-archive", "sealed", "-tombstones", "sealed"},
	} {
		if code, _, errOut := reaper(t, append(append([]string{"-once"}, flags...), more...)...); code != 1 || !strings.Contains(errOut, want) {
			t.Errorf("%v: %d %s", more, code, errOut)
		}
	}
	flags = append(flags, "-archive", "disk", "-tombstones", "sealed")
	before := left(t, c, ns)
	if code, out, errOut := reaper(t, append(flags, "-dry-run")...); code != 0 || !strings.Contains(out, "  5 ") || left(t, c, ns) != before {
		t.Errorf("-dry-run: %d %s%s: it left %s", code, out, errOut, left(t, c, ns))
	}
	code, _, errOut := reaper(t, append(flags, "-once")...)
	if code != 0 || !strings.Contains(errOut, `"deleted":5,"archived":5`) || !strings.Contains(errOut, `"tombstones":1`) {
		t.Errorf("%d\n%s", code, errOut)
	}
	if data, err := os.ReadFile(disk); err != nil || strings.Count(string(data), "\n") != 5 {
		t.Errorf("the archive holds %s: %v", data, err)
	}
	trust, err := verify.ParseTrust(fmt.Appendf(nil, "keys: [{name: prod, key: %q, components: [proxy, audit-reaper]}]\n"+
		"components: [{name: proxy, sealedSince: 2026-01-01T00:00:00Z}, {name: audit-reaper, sealedSince: 2026-01-01T00:00:00Z, reaps: 120h}]", public))
	if err != nil {
		t.Fatal(err)
	}
	v := verify.New(trust, verify.Options{})
	var events v1alpha1.AuditEventList
	if err := c.List(t.Context(), &events, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	for i := range events.Items {
		v.Add(reading.NewRecord(&events.Items[i], "cluster", ""))
	}
	if r := v.Report(); r.Verdict != verify.Intact || r.Retired != 5 {
		t.Errorf("%s, %d retired: %+v", r.Verdict, r.Retired, r.Findings)
	}
}
