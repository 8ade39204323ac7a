package redact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/kube"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/spool"
)

const (
	// secret begins each text that must not be found, and visible is a text that must,
	// so that a search that finds nothing anywhere is noticed.
	secret  = "s3cr3t"
	visible = "visible-resource"
)

// planted returns an event with a secret in every text that a rule can name, and what a
// context has to say of its request.
func planted(namespace string, text func() string) (*v1alpha1.AuditEvent, auditing.Facts) {
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "prompt-sent", Decision: v1alpha1.AuditDecisionDenied, Namespace: namespace, When: time.Now(),
		RunName: text(), Reason: text(), MatchedPolicy: text(), Host: text(), Port: 443,
		CredentialName: text(), Provider: text(), Purpose: text(),
		SampleDestinations: []v1alpha1.AuditDestination{{Host: text(), Port: 1}, {Host: text()}},
		Detail:             map[string]string{"value": text(), text(): "key"},
	})
	label := func() string { return fmt.Sprintf("%s-%d", secret, len(ae.Labels)) }
	ae.Labels["example.com/value"], ae.Labels["example.com/"+secret], ae.Labels[secret] = label(), "key", label()
	ae.Annotations = map[string]string{"example.com/value": text(), "example.com/" + secret: "key", secret: text()}
	ae.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: text(), UID: types.UID(text())}}
	return ae, auditing.Facts{
		Actor: &v1alpha1.AuditActor{
			User: text(), Groups: []string{text(), text()}, ServiceAccount: text(), SourceAddress: text(), UserAgent: text(),
		},
		Object: &v1alpha1.AuditObject{
			Group: text(), Resource: visible, Namespace: text(), Name: text(), UID: text(), Subresource: text(),
		},
		Request: &v1alpha1.AuditRequest{ID: text(), Verb: text()},
		Trace:   &v1alpha1.AuditTrace{TraceID: text(), SpanID: text()},
	}
}

// private are rules under which no secret stays.
var private = map[string][]redact.Rule{
	"drop": {rule(redact.Keep, "", "spec.object.resource"), rule(redact.Drop, "", "*")},
	"mask": {rule(redact.Mask, secret+"[-0-9a-z]*", "*")},
	"hmac": {rule(redact.Keep, "", "spec.object.resource"), rule(redact.HMAC, "", "*")},
	"both": {rule(redact.HMAC, secret+"[-0-9a-z]*", "*"), rule(redact.Mask, secret, "*")},
}

// loud is a destination that refuses every event and quotes it.
type loud struct{ driver.Base }

func (loud) Info() driver.Info { return driver.Info{Name: "loud"} }

func (loud) Store(_ context.Context, events []*driver.Event) []error {
	return driver.All(len(events), driver.Permanent(fmt.Errorf("I will not take %s", events[0].JSON())))
}

// places is a chain that writes to every kind of destination, and where it leaves texts.
type places struct {
	sink     auditing.Sink
	kube     *testenv.Kube
	victoria *testenv.VictoriaLogs
	dir      string // of the log file and the spool
	registry *prometheus.Registry
	letters  chan error // one for each dead letter
}

func newPlaces(t *testing.T, rules []redact.Rule) *places {
	t.Helper()
	p := &places{
		kube: testenv.SharedKube(t), victoria: testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: []string{"-inmemoryDataFlushInterval=1s"}}),
		dir: t.TempDir(), registry: prometheus.NewRegistry(), letters: make(chan error, 100),
	}
	if err := auditing.RegisterMetrics(p.registry); err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(p.kube.Config, client.Options{Scheme: scheme})
	must(t, err)
	objects, err := retry.New(kube.Sink{Client: c, OwnerReferences: true}, retry.Options{Registerer: p.registry})
	must(t, err)
	lines, err := auditlog.NewFile(filepath.Join(p.dir, "audit.log"), auditlog.FileOptions{})
	must(t, err)
	rows, err := loki.New(p.victoria.URL, loki.Options{Server: loki.ServerVictoriaLogs, ServiceName: "redact", Registerer: p.registry})
	must(t, err)
	dead, err := spool.New(filepath.Join(p.dir, "spool"), driver.New(loud{}), spool.Options{
		Registerer: p.registry, OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { p.letters <- err },
	})
	must(t, err)
	all, err := multi.New([]multi.Child{{Name: "kube", Sink: objects}, {Name: "log", Sink: lines}, {Name: "loki", Sink: rows}, {Name: "dead", Sink: dead}}, multi.Options{})
	must(t, err)
	calm, err := flood.New(all, flood.Options{Registerer: p.registry, Window: time.Second, StandAlone: []v1alpha1.AuditKind{}})
	must(t, err)
	p.sink, err = redact.New(calm, redact.Options{Component: "broker", Rules: rules, Keys: keys()})
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoSecretReachesAnyPlace(t *testing.T) {
	for name, rules := range private {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(t, rules)
			ns := p.kube.Namespace(t)
			n := 0
			text := func() string { n++; return fmt.Sprintf("%s-%d", secret, n) }
			var events []*v1alpha1.AuditEvent
			ae, facts := planted(ns, text)
			ctx := auditing.With(t.Context(), facts)
			for range 5 { // of one run, so that flood makes a summary of some
				events = append(events, ae.DeepCopy())
			}
			outcomes := make(chan error, len(events))
			for _, ae := range events {
				go func() { outcomes <- p.sink.Write(ctx, ae) }()
			}
			var said strings.Builder
			for range events {
				if err := <-outcomes; err != nil {
					t.Errorf("write: %v", err)
				}
			}
			for range 2 { // the first event and the summary
				fmt.Fprintln(&said, <-p.letters)
			}
			bad := ae.DeepCopy()
			bad.Labels["example.com/value"] = secret + " is no label"
			fmt.Fprintln(&said, p.sink.Write(ctx, bad))
			quoted, err := redact.New(driver.New(loud{}), redact.Options{Rules: rules, Keys: keys()})
			must(t, err)
			fmt.Fprintln(&said, quoted.Write(ctx, ae.DeepCopy()))
			must(t, auditing.Close(t.Context(), p.sink))
			p.check(t, ns, said.String())
		})
	}
}

// check looks for secrets in all that is left.
func (p *places) check(t *testing.T, ns, said string) {
	t.Helper()
	look := func(place string, found ...[]byte) {
		t.Helper()
		all := bytes.Join(found, []byte("\n"))
		if i := bytes.Index(all, []byte(secret)); i >= 0 {
			t.Errorf("%s: …%q…", place, all[max(0, i-100):min(len(all), i+100)])
		}
		if !bytes.Contains(all, []byte(visible)) {
			t.Errorf("%s: nothing at all is found in %d bytes", place, len(all))
		}
	}
	pairs, err := p.kube.EtcdPairs(t.Context(), "/registry/paddock.dev/auditevents/"+ns+"/")
	must(t, err)
	if len(pairs) != 2 {
		t.Errorf("etcd holds %d objects, want an event and a summary", len(pairs))
	}
	for _, pair := range pairs {
		look("etcd", pair.Key, pair.Value, []byte(visible))
	}
	look("etcd", pairs[0].Value, pairs[1].Value)
	look("errors", []byte(said))
	look("log", files(t, filepath.Join(p.dir, "audit.log"))...)
	look("spool", files(t, filepath.Join(p.dir, "spool"))...)

	rows, err := p.victoria.Query(t.Context(), "", "*", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	must(t, err)
	if len(rows) != 2 {
		t.Errorf("VictoriaLogs holds %d rows", len(rows))
	}
	look("VictoriaLogs' answers", []byte(fmt.Sprint(rows)))
	deadline := time.Now().Add(30 * time.Second)
	for !bytes.Contains(bytes.Join(unpacked(t, p.victoria.DataDir()), nil), []byte(visible)) && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	look("VictoriaLogs' files", unpacked(t, p.victoria.DataDir())...)

	var metrics bytes.Buffer
	families, err := p.registry.Gather()
	must(t, err)
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&metrics, family); err != nil {
			t.Fatal(err)
		}
	}
	look("metrics", metrics.Bytes(), []byte(visible))
	if !strings.Contains(metrics.String(), `component="broker"`) {
		t.Errorf("no metrics: %s", metrics.String())
	}
}

// files returns what stands in the files of a folder, or in one file.
func files(t *testing.T, root string) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, []byte(path), data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a server removes some of its files meanwhile
		t.Fatal(err)
	}
	return all
}

// unpacked returns the files of a folder, and what is packed in them with zstd.
func unpacked(t *testing.T, root string) [][]byte {
	t.Helper()
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	dec, err := zstd.NewReader(nil)
	must(t, err)
	defer dec.Close()
	all := files(t, root)
	for _, data := range all {
		for i := bytes.Index(data, magic); i >= 0; {
			_ = dec.Reset(bytes.NewReader(data[i:])) // a reader of bytes does not fail
			var frame bytes.Buffer
			_, _ = dec.WriteTo(&frame) // what follows a frame is no frame
			all = append(all, frame.Bytes())
			next := bytes.Index(data[i+1:], magic)
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	return all
}
