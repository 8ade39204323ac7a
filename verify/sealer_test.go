package verify_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

// root is a long-term key and an issuer of tokens, and the trust in them.
type root struct {
	signer note.Signer
	key    string
	issuer *issuer // of tokens
}

func newRoot(tb testing.TB) *root {
	tb.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "prod-root")
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		tb.Fatal(err)
	}
	return &root{signer, public, newIssuer(tb)}
}

// trust returns a trust in the root, in which broker and proxy are sealed since noon.
func (r *root) trust(tb testing.TB) *verify.Trust {
	tb.Helper()
	t, err := verify.ParseTrust([]byte(r.yaml()))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func (r *root) yaml() string {
	return fmt.Sprintf(`
keys:
- {name: root, key: %q, cluster: prod, components: [broker, proxy, audit-reaper], notBefore: 2026-01-01T00:00:00Z, notAfter: 2126-01-01T00:00:00Z}
issuers:
- %s
components:
- {name: broker, cluster: prod, sealedSince: 2026-04-25T12:00:00Z}
- {name: proxy, cluster: prod, sealedSince: 2026-04-25T12:00:00Z}
- {name: audit-reaper, cluster: prod, reaps: 168h}
`, r.key, r.issuer.entry())
}

// sealer makes a trail as the stage seal does, one step at a time.
type sealer struct {
	tb        testing.TB
	id        string
	component string
	signer    note.Signer
	key, cert string
	all       []trail.Hash
	from      int64 // where the last checkpoint ended that was stored
	settled   int64 // up to where outcomes were told
	failed    trail.Ranges
	unclear   trail.Ranges
	lacks     []trail.Lack
	heads     []trail.SignedHead
	keys      []trail.OtherKey
	head      trail.SignedHead // of the last checkpoint
	stored    []*v1alpha1.AuditEvent
	clock     *time.Time
	spanFrom  time.Time // of the earliest event that a checkpoint tells; noon when zero
	root      *root
	made      int
}

func newSealer(tb testing.TB, r *root, component string) *sealer {
	tb.Helper()
	s := &sealer{tb: tb, id: trail.NewID(), component: component, clock: new(noon), root: r}
	s.renew(r)
	s.checkpoint(canonical.KindTrailOpened)
	return s
}

// renew makes the key of the trail, and its certificate.
func (s *sealer) renew(r *root) {
	var err error
	if s.signer, s.key, err = trail.NewKey(s.origin()); err != nil {
		s.tb.Fatal(err)
	}
	s.certify(r, noon.Add(-time.Hour), noon.Add(48*time.Hour))
}

func (s *sealer) origin() string { return trail.Origin("prod", s.component, s.id) }

func certificate(r *root, key string, notBefore, notAfter time.Time) (string, error) {
	return trail.Certificate{Key: key, NotBefore: notBefore, NotAfter: notAfter}.Certify(r.signer)
}

func (s *sealer) certify(r *root, notBefore, notAfter time.Time) {
	cert, err := certificate(r, s.key, notBefore, notAfter)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.cert = cert
}

// event returns an event that is not sealed yet.
func (s *sealer) event(kind v1alpha1.AuditKind) *v1alpha1.AuditEvent {
	*s.clock = s.clock.Add(time.Second + time.Millisecond)
	ae := &v1alpha1.AuditEvent{
		TypeMeta: metav1.TypeMeta{Kind: "AuditEvent", APIVersion: v1alpha1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("ae-%s-%d", s.component, len(s.all)), Namespace: "team-a",
			Labels: map[string]string{
				v1alpha1.LabelRun: "run-7", v1alpha1.LabelDecision: "granted", v1alpha1.LabelKind: string(kind), v1alpha1.LabelComponent: s.component,
			},
			Annotations: map[string]string{v1alpha1.AnnotationTimestamp: s.clock.Format(time.RFC3339Nano)},
		},
		Spec: v1alpha1.AuditEventSpec{
			RunRef: &v1alpha1.LocalReference{Name: "run-7"}, Decision: v1alpha1.AuditDecisionGranted, Kind: kind, Timestamp: metav1.NewTime(*s.clock),
		},
	}
	s.made++ // an index may be used twice, by a forger
	ae.Name += fmt.Sprintf("-%d-%s", s.made, strings.ToLower(s.id[20:]))
	return ae
}

// seal gives an event the next index.
func (s *sealer) seal(ae *v1alpha1.AuditEvent) {
	seal := trail.Seal{Trail: s.id, Index: int64(len(s.all)), Salt: trail.NewSalt()}
	leaf := trail.HashLeaf(canonical.AppendObject(trail.AppendLeaf(nil, seal.Salt), ae))
	ae.Annotations[v1alpha1.AnnotationSeal] = seal.String()
	s.all = append(s.all, leaf)
}

// skip seals an event that will not be stored.
func (s *sealer) skip() int64 {
	s.seal(s.decision())
	return int64(len(s.all)) - 1
}

func (s *sealer) decision() *v1alpha1.AuditEvent {
	ae := s.event(v1alpha1.AuditKindCredentialIssued)
	ae.Spec.Actor = &v1alpha1.AuditActor{User: "alice", Groups: []string{"dev", "ops"}}
	ae.Spec.Destination = &v1alpha1.AuditDestination{Host: "example.com", Port: 443}
	ae.Spec.Credential = &v1alpha1.AuditCredential{Name: "token", Provider: "github", Purpose: "clone"}
	ae.Spec.Reason = "the policy allows it"
	ae.Spec.Count = 3
	ae.Spec.WindowStart, ae.Spec.WindowEnd = new(metav1.NewTime(noon)), new(metav1.NewTime(noon.Add(time.Minute)))
	ae.Spec.Detail = map[string]string{"scope": "contents:read", "repository": "team-a/service"}
	return ae
}

// write seals and stores some events.
func (s *sealer) write(n int) {
	for range n {
		ae := s.decision()
		s.seal(ae)
		s.stored = append(s.stored, ae)
	}
}

// make makes a checkpoint without storing it.
func (s *sealer) make(kind v1alpha1.AuditKind) *v1alpha1.AuditEvent {
	c := &trail.Checkpoint{
		Key: s.key, Certificate: s.cert, Settled: trail.Range{From: s.settled, To: int64(len(s.all))},
		Failed: s.failed, Unclear: s.unclear, Lacks: s.lacks, Heads: s.heads, Keys: s.keys, First: noon, Last: *s.clock,
	}
	if !s.spanFrom.IsZero() {
		c.First = s.spanFrom
	}
	for i, leaf := range s.all {
		if int64(i) < s.from {
			c.Before.Add(leaf)
		} else {
			c.Leaves = append(c.Leaves, leaf)
		}
	}
	ae := s.event(kind)
	ae.Spec.Detail = c.Detail()
	s.seal(ae)
	f := trail.Frontier{}
	for _, leaf := range s.all {
		f.Add(leaf)
	}
	s.head = s.sign(trail.Head{Origin: s.origin(), Size: int64(len(s.all)), Root: f.Root()})
	ae.Spec.Detail[canonical.DetailNote] = s.head.Note()
	return ae
}

func (s *sealer) sign(h trail.Head) trail.SignedHead {
	signed, err := h.Sign(s.signer)
	if err != nil {
		s.tb.Fatal(err)
	}
	return signed
}

// tell has the next checkpoints of s tell of the head of another trail.
func (s *sealer) tell(of *sealer) {
	s.heads, s.keys = append(s.heads, of.head), append(s.keys, trail.OtherKey{Key: of.key, Certificate: of.cert})
}

// checkpoint makes and stores one.
func (s *sealer) checkpoint(kind v1alpha1.AuditKind) *v1alpha1.AuditEvent {
	settled := int64(len(s.all))
	ae := s.make(kind)
	s.stored = append(s.stored, ae)
	s.from, s.settled = int64(len(s.all)), settled
	s.failed, s.unclear, s.lacks = nil, nil, nil
	return ae
}

func (s *sealer) close() { s.checkpoint(canonical.KindTrailClosed) }
