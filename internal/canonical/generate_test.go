package canonical_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
)

// generator makes events as hostile as Write takes them. Equal seeds give equal events.
type generator struct {
	*rand.Rand

	now       time.Time
	namespace string
}

func newGenerator(seed uint64, now time.Time, namespace string) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), now: now, namespace: namespace} //nolint:gosec // it has to repeat
}

// one reports true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

var pieces = []string{
	"a", "plain words ", "é", "世界", "😀", "\x00", "\n", "\t\"\\", "\u2028", "\u202e", "\x7f", "\u009b", "\uFFFD", "<&>", "\ufeff", "\u0301",
	"\xff", "\xfe\xff", "\xed\xa0\x80", "\xe2\x82", "\xc0\xaf", "\xf4\x90\x80\x80", "…[9 bytes, sha256 000000000000]",
}

// text returns a text around the limit now and then, and a short one else.
func (g *generator) text(limit int) string {
	switch g.IntN(40) {
	case 0:
		return strings.Repeat("x", limit+g.IntN(3)-1)
	case 1:
		return strings.Repeat(pieces[g.IntN(len(pieces))], limit/2)
	case 2:
		return ""
	}
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(pieces[g.IntN(len(pieces))])
	}
	return b.String()
}

// some is a text, or none.
func (g *generator) some(limit int) string {
	if g.one(3) {
		return ""
	}
	return g.text(limit)
}

func (g *generator) reference() *v1alpha1.LocalReference {
	if g.one(2) {
		return nil
	}
	return &v1alpha1.LocalReference{Name: "r" + g.text(v1alpha1.MaxNameLength)}
}

func (g *generator) destination() v1alpha1.AuditDestination {
	return v1alpha1.AuditDestination{Host: g.some(v1alpha1.MaxNameLength), Port: pick[int32](g, 0, 1, 443, 65535, 65536, -1, math.MaxInt32, math.MinInt32)}
}

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// boundaries are times that no log server but Loki takes.
var boundaries = []time.Time{
	time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
	time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
	time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	time.Unix(0, 0), time.Unix(-1, 0), time.Unix(1<<31, 0), time.Unix(1<<32-1, 1),
	time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
}

func (g *generator) time() time.Time {
	if g.one(200) {
		return pick(g, boundaries...)
	}
	at := g.now.Add(-time.Duration(g.Int64N(int64(time.Hour)))).Truncate(time.Second)
	at = at.Add(time.Duration(pick(g, 0, 1, 999_999_999, 500_000_000, 120_000, g.IntN(1e9))))
	return at.In(time.FixedZone("", g.IntN(86400)-43200))
}

func (g *generator) window() *metav1.Time {
	switch g.IntN(4) {
	case 0:
		return &metav1.Time{Time: g.time()}
	case 1:
		return &metav1.Time{Time: pick(g, boundaries...)}
	}
	return nil
}

// event returns an event that Write takes.
func (g *generator) event() *v1alpha1.AuditEvent {
	ae := &v1alpha1.AuditEvent{}
	g.metadata(&ae.ObjectMeta)
	s := &ae.Spec
	s.Decision = pick(g, v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned)
	s.Kind = pick(g, v1alpha1.AuditKindEgressBlock, v1alpha1.AuditKindRunFailed, "x", v1alpha1.AuditKind(strings.Repeat("k", 63)),
		canonical.KindTrailOpened, canonical.KindTrailCheckpoint, canonical.KindTrailClosed, canonical.KindTrailRecovered, canonical.KindTrailReaped)
	s.Timestamp.Time = g.time()
	s.RunRef, s.MatchedPolicy = g.reference(), g.reference()
	if g.one(2) {
		s.Destination = new(g.destination())
	}
	if g.one(2) {
		s.Credential = &v1alpha1.AuditCredential{
			Name: g.some(v1alpha1.MaxNameLength), Provider: g.some(v1alpha1.MaxNameLength), Purpose: g.some(v1alpha1.MaxNameLength),
		}
	}
	s.Reason = g.some(v1alpha1.MaxReasonLength)
	s.Count = pick[int32](g, 0, 1, 2, math.MaxInt32)
	for range g.IntN(3) * g.IntN(3) {
		s.SampleDestinations = append(s.SampleDestinations, g.destination())
	}
	s.WindowStart, s.WindowEnd = g.window(), g.window()
	g.facts(s)
	g.detail(s)
	return ae
}

func (g *generator) metadata(m *metav1.ObjectMeta) {
	m.Namespace = g.namespace
	m.GenerateName = pick(g, "", "ae-", "ae-cred-")
	if g.one(4) {
		m.Name = fmt.Sprintf("own-%x.%d", g.Uint64(), g.IntN(10))
	}
	m.Labels, m.Annotations = map[string]string{}, map[string]string{}
	if g.one(3) {
		m.Labels["app"], m.Labels["example.com/paddock.dev"] = "broker", "x"
		m.Annotations["example.com/note"], m.Annotations["a.paddock.dev/note"] = g.text(3000), g.text(20)
	}
	if g.one(3) {
		m.Labels["paddock.dev/zone"], m.Labels["paddock.dev/empty"] = "eu", ""
		m.Annotations["paddock.dev/note"], m.Annotations["paddock.dev/empty"] = g.text(200), ""
	}
	if g.one(3) {
		m.Annotations[v1alpha1.AnnotationSeal] = fmt.Sprintf("v1 01JSDD5R6N7ZQKPXM5T2E3V4W8 %d %016x", g.IntN(1<<20), g.Uint64())
	}
	if g.one(5) {
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "p" + g.text(20), UID: types.UID(fmt.Sprint(g.Uint64())), Controller: new(true)}}
		m.Finalizers = []string{"example.com/archive"}
	}
}

func (g *generator) facts(s *v1alpha1.AuditEventSpec) {
	const name, fact = v1alpha1.MaxNameLength, v1alpha1.MaxFactLength
	if g.one(3) {
		a := &v1alpha1.AuditActor{
			User: g.some(name), ServiceAccount: g.some(name), SourceAddress: g.some(fact), UserAgent: g.some(name),
		}
		for range g.IntN(5) * g.IntN(5) {
			a.Groups = append(a.Groups, g.some(fact))
		}
		s.Actor = pick(g, a, a, &v1alpha1.AuditActor{})
	}
	if g.one(3) {
		s.Object = &v1alpha1.AuditObject{
			Group: g.some(fact), Resource: g.some(fact), Namespace: g.some(fact), Name: g.some(name), UID: g.some(fact), Subresource: g.some(fact),
		}
	}
	if g.one(3) {
		s.Request = &v1alpha1.AuditRequest{ID: g.some(fact), Verb: g.some(fact)}
	}
	if g.one(3) {
		s.Trace = &v1alpha1.AuditTrace{TraceID: g.some(fact), SpanID: g.some(fact)}
	}
}

func (g *generator) detail(s *v1alpha1.AuditEventSpec) {
	n := g.IntN(4)
	if g.one(50) {
		n = 60 + g.IntN(8)
	}
	s.Detail = map[string]string{}
	for range n {
		s.Detail[g.text(v1alpha1.MaxDetailKeyLength)] = g.some(v1alpha1.MaxDetailValueLength)
	}
	if g.one(3) {
		s.Detail[canonical.DetailNote] = g.text(300)
	}
}

// large makes an event so long that a line of few bytes does not hold it. It has no label
// of this project but those that Write sets.
func (g *generator) large(ae *v1alpha1.AuditEvent) {
	delete(ae.Labels, "paddock.dev/zone")
	delete(ae.Labels, "paddock.dev/empty")
	for i := range 6 + g.IntN(20) {
		ae.Spec.Detail[fmt.Sprint("large ", i)] = strings.Repeat(pick(g, "y", "世", "\x01"), 1000)
	}
}
