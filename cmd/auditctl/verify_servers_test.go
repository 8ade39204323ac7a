package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/verify"
)

// The test seals events on their way to an API server and to Loki. Then it edits a spec and a label, deletes, inserts and
// replays an event, and moves one to another namespace, as the administrator of the cluster.
func TestVerifyFindsWhatAnAdministratorDid(t *testing.T) {
	server, l := testenv.SharedKube(t), testenv.NewLoki(t, testenv.LokiOptions{})
	ns := server.Namespace(t)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	lake, err := loki.New(l.URL, loki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	both, err := multi.New([]multi.Child{{Name: "cluster", Sink: kube.Sink{Client: c}}, {Name: "loki", Sink: lake}}, multi.Options{Component: "vault"})
	if err != nil {
		t.Fatal(err)
	}
	s := sealTo(t, both, "vault", ns, 8)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(server.Kubeconfig(), kubeconfig); err != nil {
		t.Fatal(err)
	}
	run := func() (int, *verify.Report) {
		code, out, errOut := auditctl(t, "verify", "--trust", s.trust, "-o", "json", "--kubeconfig", kubeconfig, "--loki", l.URL)
		r := &verify.Report{}
		if err := json.Unmarshal([]byte(out), r); err != nil {
			t.Fatalf("%d: %v: %s%s", code, err, out, errOut)
		}
		r.Findings = slices.DeleteFunc(r.Findings, func(f verify.Finding) bool { return f.Level == verify.LevelNote })
		return code, r
	}
	if code, r := run(); code != 0 || len(r.Findings) > 0 || len(r.Trails) != 1 || len(r.Trails[0].Places) != 2 {
		t.Fatalf("untouched: %d %+v", code, r)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	taken := func(name string) *v1alpha1.AuditEvent {
		ae := &v1alpha1.AuditEvent{}
		must(c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, ae))
		must(c.Delete(ctx, ae))
		ae.ResourceVersion, ae.UID = "", ""
		return ae
	}
	edited := taken(s.names[2])
	edited.Spec.Reason = "all is well"
	must(c.Create(ctx, edited))
	inserted := taken(s.names[5])
	inserted.Name += "x"
	delete(inserted.Annotations, v1alpha1.AnnotationSeal)
	must(c.Create(ctx, inserted))
	replayed := &v1alpha1.AuditEvent{}
	must(c.Get(ctx, client.ObjectKey{Namespace: ns, Name: s.names[4]}, replayed))
	relabelled := replayed.DeepCopy() // which nothing refuses, unlike another spec
	replayed.Name, replayed.ResourceVersion, replayed.UID = replayed.Name+"y", "", ""
	must(c.Create(ctx, replayed))
	relabelled.Labels[v1alpha1.LabelDecision] = string(v1alpha1.AuditDecisionGranted)
	must(c.Update(ctx, relabelled))
	moved := taken(s.names[6])
	moved.Namespace = server.Namespace(t)
	must(c.Create(ctx, moved))

	code, r := run()
	var found []string
	for _, f := range r.Findings {
		found = append(found, fmt.Sprintf("%s at %s: %s", f.Code, f.Place, strings.TrimPrefix(f.Name, ns+"/")))
	}
	slices.Sort(found)
	want := []string{
		"edited at cluster: " + s.names[2], "edited at cluster: " + s.names[4], "missing at cluster: ",
		"replayed at cluster: " + moved.Namespace + "/" + s.names[6], "replayed at cluster: " + s.names[4] + "y", "unsealed at cluster: " + s.names[5] + "x",
	}
	slices.Sort(want)
	if code != 1 || !slices.Equal(found, want) {
		t.Errorf("%d\n%q\nwant\n%q\n%+v", code, found, want, r.Findings)
	}
}

// sealTo seals decisions on their way to a sink.
func sealTo(t *testing.T, next auditing.Sink, component, namespace string, decisions int) *sealedTrail {
	t.Helper()
	s := &sealedTrail{dir: t.TempDir()}
	s.seal(t, next, component, namespace, decisions)
	return s
}
