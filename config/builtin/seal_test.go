package builtin_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/redact"
)

// sealing is a configuration with a seal in front of a log, in a folder of its own.
type sealing struct {
	t         *testing.T
	dir, text string
	public    string // half of the long-term key
}

func newSealing(t *testing.T) *sealing {
	t.Helper()
	s := &sealing{t: t, dir: t.TempDir()}
	s.text = `apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
redactions:
  people: {rules: [{fields: [spec.reason], action: mask}]}
sinks:
  calm: {type: flood, next: sealed}
  sealed: {type: seal, next: file, cluster: prod, interval: 1h, key: {file: ` + s.path("long.key") + `}}
  file: {type: log, path: ` + s.path("audit.log") + `}
components:
  broker: {sink: calm, redact: people, onFailure: open}
`
	s.newKey()
	s.write("audit.yaml", s.text)
	return s
}

func (s *sealing) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sealing) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sealing) newKey() {
	s.t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "prod/broker")
	if err != nil {
		s.t.Fatal(err)
	}
	s.public = public
	s.write("long.key", private+"\n")
}

func (s *sealing) open() *config.Trail {
	s.t.Helper()
	opened, err := config.Open(s.t.Context(), s.path("audit.yaml"), builtin.Types(), config.Deps{Static: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = opened.Close(soon(s.t)) })
	return opened
}

// soon is a deadline for a Close.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// trailOf writes an event and returns the trail that its seal names.
func (s *sealing) trailOf(to auditing.Sink) string {
	s.t.Helper()
	ae := auditing.NewEvent(auditing.EventInput{
		Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted, Namespace: "team-a", RunName: "run-7", Reason: "for jane",
	})
	if err := to.Write(s.t.Context(), ae); err != nil {
		s.t.Fatal(err)
	}
	for _, found := range s.stored() {
		if found.Name != ae.Name {
			continue
		}
		seal, err := trail.ParseSeal(found.Annotations[v1alpha1.AnnotationSeal])
		if err != nil {
			s.t.Fatal(err)
		}
		return seal.Trail
	}
	s.t.Fatalf("the log has no event %s", ae.Name)
	return ""
}

// stored returns what the log holds.
func (s *sealing) stored() (events []v1alpha1.AuditEvent) {
	s.t.Helper()
	data, err := os.ReadFile(s.path("audit.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(line), &ae); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		events = append(events, ae)
	}
	return events
}

// closed reports that the log holds the checkpoint that closes a trail.
func (s *sealing) closed(id string) bool {
	return slices.ContainsFunc(s.stored(), func(ae v1alpha1.AuditEvent) bool {
		seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
		return err == nil && seal.Trail == id && ae.Spec.Kind == "trail-closed"
	})
}

func TestSealStandsBehindRedactionAndFlood(t *testing.T) {
	s := newSealing(t)
	opened := s.open()
	if want := "broker: redact(flood(seal(log(" + s.path("audit.log") + ")))): accepted"; !strings.Contains(opened.String(), want) {
		t.Errorf("chains %s, want %s", opened, want)
	}
	id := s.trailOf(opened.For("broker"))
	if err := opened.Close(soon(t)); err != nil {
		t.Fatal(err)
	}
	if !s.closed(id) {
		t.Error("Close has not closed the trail")
	}
	for _, ae := range s.stored() {
		if ae.Labels[v1alpha1.LabelComponent] != "broker" || strings.Contains(ae.Spec.Reason, "jane") {
			t.Errorf("component %q, reason %q", ae.Labels[v1alpha1.LabelComponent], ae.Spec.Reason)
		}
		if trail.IsCheckpoint(ae.Spec.Kind) {
			s.vouched(&ae, trail.Origin("prod", "broker", id))
		}
	}
}

// vouched checks that the long-term key vouches for the key of a checkpoint.
func (s *sealing) vouched(ae *v1alpha1.AuditEvent, origin string) {
	s.t.Helper()
	c, err := trail.ParseCheckpoint(ae.Spec.Detail)
	if err != nil {
		s.t.Fatal(err)
	}
	root, err := note.NewVerifier(s.public)
	if err != nil {
		s.t.Fatal(err)
	}
	certificate, by, err := trail.OpenCertificate(c.Certificate, note.VerifierList(root))
	if err != nil || certificate.Key != c.Key || by != "prod/broker" {
		s.t.Errorf("%s: a certificate of %q by %q, %v; want one of %q", ae.Spec.Kind, certificate.Key, by, err, c.Key)
	}
	if head, err := trail.OpenHead(c.Note, c.Key); err != nil || head.Origin != origin {
		s.t.Errorf("%s: the head is %v, %v; want one of %s", ae.Spec.Kind, head, err, origin)
	}
}

func TestReloadClosesTheTrailOfAChangedSeal(t *testing.T) {
	s := newSealing(t)
	opened := s.open()
	reload := func(what string) (before, after string) {
		t.Helper()
		before = s.trailOf(opened.For("broker"))
		if err := opened.Reload(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return before, s.trailOf(opened.For("broker"))
	}
	replace := func(old, replaced string) {
		s.text = strings.Replace(s.text, old, replaced, 1)
		s.write("audit.yaml", s.text)
	}
	if before, after := reload("nothing"); before != after || s.closed(before) {
		t.Error("a reload without a change began another trail")
	}
	replace("calm: {type: flood, next: sealed}", "calm: {type: flood, next: sealed, window: 2s}")
	if before, after := reload("flood"); before != after {
		t.Error("a change in front of the seal began another trail")
	}
	for what, change := range map[string]func(){
		"the seal": func() { replace("interval: 1h", "interval: 30m") },
		"the key":  s.newKey,
		// The log is closed before it is opened again, and writes wait for that.
		"the sink behind it": func() { replace("type: log,", "type: log, maxBackups: 7,") },
	} {
		change()
		before, after := reload(what)
		if before == after {
			t.Errorf("%s has changed, and the trail goes on", what)
		}
		deadline := time.Now().Add(20 * time.Second)
		for !s.closed(before) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		if !s.closed(before) {
			t.Errorf("%s has changed, and the old trail is not closed", what)
		}
		if s.closed(after) {
			t.Errorf("%s has changed, and the new trail is closed", what)
		}
	}
}

func TestSealWithAnotherOwnerBeginsAnotherTrail(t *testing.T) {
	s := newSealing(t)
	opened := s.open()
	before := s.trailOf(opened.For("broker"))
	s.write("audit.yaml", strings.Replace(s.text, "  broker: {", "  proxy: {", 1))
	if err := opened.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.trailOf(opened.For("proxy")) == before {
		t.Error("the trail of broker has an event of proxy")
	}
}

func TestSealRefusesAKeyThatIsNone(t *testing.T) {
	for name, spoil := range map[string]func(*sealing){
		"is missing":    func(*sealing) {},
		"is public":     func(s *sealing) { s.write("long.key", s.public) },
		"is other text": func(s *sealing) { s.write("long.key", "PRIVATE+KEY+hunter2+x\n") },
		"is too large":  func(s *sealing) { s.write("long.key", strings.Repeat("hunter2", 1<<10)) },
		"is a folder": func(s *sealing) {
			if err := os.Mkdir(s.path("long.key"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s := newSealing(t)
		if err := os.Remove(s.path("long.key")); err != nil {
			t.Fatal(err)
		}
		spoil(s)
		_, err := config.Open(t.Context(), s.path("audit.yaml"), builtin.Types(), config.Deps{Static: true})
		const want = "sinks.sealed: cannot be opened: key.file: "
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.path("long.key")) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a key that %s: %v", name, err)
		}
	}
}

// masking is a type of a program's own that redacts.
type masking struct {
	Next config.Ref `yaml:"next" required:"true"`
}

func (m *masking) Plan(p config.Planning) config.Plan { return p.Of(m.Next) }

func (m *masking) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	return redact.New(o.Sink(m.Next), redact.Options{Rules: []redact.Rule{{Fields: []string{"spec.reason"}, Action: redact.Mask}}})
}

func TestSealRefusesARedactionBehindIt(t *testing.T) {
	s := newSealing(t)
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "masking", New: func() config.Section { return &masking{} }}); err != nil {
		t.Fatal(err)
	}
	s.write("audit.yaml", strings.Replace(strings.Replace(s.text, "seal, next: file,", "seal, next: masked,", 1),
		"  file:", "  masked: {type: masking, next: file}\n  file:", 1))
	_, err := config.Open(t.Context(), s.path("audit.yaml"), types, config.Deps{Static: true})
	if err == nil || !strings.Contains(err.Error(), "sinks.sealed: cannot be opened") || !strings.Contains(err.Error(), "put redact in front of seal") {
		t.Errorf("Open: %v", err)
	}
}

func TestTheSealInTheDocsIsValid(t *testing.T) {
	page, err := os.ReadFile("../../docs/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	_, keys, _ := strings.Cut(string(page), "\n## Keys\n")
	found := 0
	for _, block := range strings.Split(keys, "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "sinks:") {
			continue
		}
		found++
		block = strings.Replace(block, "key: {", "heads: {}, key: {", 1) // as the page says below
		f, err := config.Parse("proof.md", []byte("apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"+block), builtin.Types())
		if err != nil || f.String() != "broker: seal(kube): acknowledged, fails closed" {
			t.Errorf("%v, %v in\n%s", f, err, block)
		}
	}
	if found != 2 {
		t.Errorf("%d configurations, want 2", found)
	}
}

func TestSealIsWaitedForByItsOwnNameAlone(t *testing.T) {
	opened := newSealing(t).open()
	for name, want := range map[string]string{"sealed": "", "calm": "calm is no sink of type seal", "file": "file is no sink of type seal"} {
		sink, err := opened.Sink(name)
		if err != nil {
			t.Fatal(err)
		}
		waits, is := sink.(interface {
			Wait(ctx context.Context) error
		})
		if !is {
			t.Fatalf("%s has no Wait", name)
		}
		if err := waits.Wait(soon(t)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if places, err := opened.Places("calm"); err != nil || len(places) != 1 || places[0].Sink != "file" {
		t.Errorf("%+v, %v", places, err)
	}
}
