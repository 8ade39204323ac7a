package auditing

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// fillInput fills the input that in points to from data: with what callers
// really pass, and as often with what hurts. Mostly the namespace is a good one,
// for an event without is refused and teaches nothing more.
func fillInput(in any, data []byte) {
	randfill.NewFromGoFuzz(data).NilChance(.3).NumElements(0, 6).Funcs(
		func(s *string, c randfill.Continue) { *s = anyText(c) },
		func(n *int, c randfill.Continue) { *n = int(anyNumber(c)) },
		func(n *int32, c randfill.Continue) { *n = int32(anyNumber(c)) },
		func(n *int64, c randfill.Continue) { *n = anyNumber(c) },
		func(t *time.Time, c randfill.Continue) { *t = anyTime(c) },
		func(d *v1alpha1.AuditDecision, c randfill.Continue) {
			*d = pick(c, "", v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned, "maybe")
		},
		func(k *v1alpha1.AuditKind, c randfill.Continue) {
			*k = pick(c, "", "egress-block", "quota-exceeded", "0", v1alpha1.AuditKind(text(63)), v1alpha1.AuditKind(text(64)), "Not a label")
		},
		func(m *map[string]string, c randfill.Continue) {
			*m = map[string]string{}
			for i := range pick(c, 0, 1, 3, 63, 64, 65, 300) {
				key := strconv.Itoa(i)
				if c.Intn(4) == 0 {
					key = anyText(c)
				}
				(*m)[key] = anyText(c)
			}
		},
		func(o *metav1.OwnerReference, c randfill.Continue) {
			*o = metav1.OwnerReference{
				APIVersion: "paddock.dev/v1alpha1", Kind: "HarnessRun", Name: "hr-1",
				UID: pick(c, types.UID("abc"), "abc", "abc", ""),
			}
			if c.Bool() {
				o.Controller, o.BlockOwnerDeletion = new(c.Bool()), new(c.Bool())
			}
		},
	).Fill(in)
	if len(data) == 0 || data[0]%8 != 0 {
		reflect.ValueOf(in).Elem().FieldByName("Namespace").SetString("team-a")
	}
}

func pick[T any](c randfill.Continue, from ...T) T { return from[c.Intn(len(from))] }

func anyText(c randfill.Continue) string {
	switch c.Intn(8) {
	case 0:
		return ""
	case 1, 2:
		return pick(c, "hr-1", "api.example.com", "audit.omitted", "port", "when", "a", "-", "_.", " ", "'", "error")
	case 3: // around a bound
		unit := pick(c, "x", "é", "世", "😀", "\xff", "\x00", `"`, "<", "\u2028", "'")
		size := pick(c, 63, 64, 128, 253, 1024, 4096, 20000) + c.Intn(7) - 3
		return strings.Repeat(unit, size/len(unit)+1)
	case 4: // any bytes
		raw := make([]byte, c.Intn(200))
		for i := range raw {
			raw[i] = byte(c.Intn(256))
		}
		return string(raw)
	case 5: // no label value, though it looks like one
		return strings.Repeat(pick(c, "Run_", "a.", "-", "ä"), c.Intn(80))
	default:
		return c.String(60)
	}
}

func anyNumber(c randfill.Continue) int64 {
	return pick(c, 0, 1, -1, 80, 443, 65535, 65536, 70000, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64,
		c.Int63(), -c.Int63())
}

func anyTime(c randfill.Continue) time.Time {
	t := pick(c,
		time.Time{}, noon, noon, time.Unix(0, c.Int63()), time.Unix(c.Int63n(1<<40), 5),
		time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(1960, 2, 3, 4, 5, 6, 7, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0))
	if c.Bool() {
		t = t.In(time.FixedZone("", c.Intn(86400)-43200))
	}
	return t
}

// text returns n letters.
func text(n int) string { return strings.Repeat("x", n) }
