package verify_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/verify"
)

// years is a cluster in which the broker seals a trail a day, and a reaper deletes by one of its own.
type years struct {
	tb     testing.TB
	root   *root
	clock  time.Time
	stored []*v1alpha1.AuditEvent
	ended  map[string][]*sealer // by component, the last 16 trails
}

// trail begins a trail of a component.
func (y *years) trail(component string) *sealer {
	s := &sealer{tb: y.tb, id: trail.NewID(), component: component, clock: &y.clock, root: y.root, spanFrom: y.clock}
	for _, of := range y.ended[component] {
		s.tell(of)
	}
	s.renew(y.root)
	s.certify(y.root, y.clock.Add(-time.Hour), y.clock.Add(2*day))
	s.checkpoint(canonical.KindTrailOpened)
	return s
}

// close ends a trail, and stores it.
func (y *years) close(s *sealer) {
	s.close()
	y.stored = append(y.stored, s.stored...)
	all := slices.Concat(y.ended[s.component], []*sealer{s})
	y.ended[s.component] = slices.Clone(all[max(0, len(all)-16):])
}

// decide has the broker decide for a day. What a reaper does in it, reap says.
func (y *years) decide(reap func()) {
	s := y.trail("broker")
	for range 4 {
		s.spanFrom = y.clock
		s.write(3)
		y.clock = y.clock.Add(10 * time.Second)
		s.checkpoint(canonical.KindTrailCheckpoint)
		y.clock = y.clock.Add(5 * time.Hour)
		reap()
	}
	y.close(s)
}

// reaped is how long events stay.
const reaped = 7 * day

// keepOf returns how long a reaper keeps an event.
func keepOf(ae *v1alpha1.AuditEvent) time.Duration {
	if canonical.IsTrail(ae.Spec.Kind) {
		return reaped + 31*day
	}
	return reaped
}

// reap has a reaper name what has expired, and delete so many of it.
func (y *years) reap(most int) {
	now := y.clock
	s := y.trail("audit-reaper")
	expired := map[string]bool{}
	for _, keep := range []time.Duration{reaped, reaped + 31*day} {
		indices := map[string]trail.Ranges{}
		for _, ae := range y.stored {
			seal, err := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
			if err != nil {
				y.tb.Fatal(err)
			}
			if keepOf(ae) == keep && !ae.Spec.Timestamp.Add(keep+time.Hour).After(now) {
				expired[ae.Name] = true
				ranges := indices[seal.Trail]
				ranges.Add(seal.Index)
				indices[seal.Trail] = ranges
			}
		}
		var all []trail.Reaped
		for id, ranges := range indices {
			all = append(all, trail.Reaped{Trail: id, Ranges: ranges})
		}
		for _, part := range trail.Fit(all) {
			stone := &trail.Tombstone{Place: "cluster", Keep: keep.String(), Cutoff: now.Add(-keep), Checkpoints: keep != reaped, Reaped: part}
			ae := s.event(canonical.KindTrailReaped)
			ae.Spec.Detail = stone.Detail()
			s.seal(ae)
			s.stored = append(s.stored, ae)
		}
	}
	y.close(s)
	for _, checkpoints := range []bool{false, true} {
		y.stored = slices.DeleteFunc(y.stored, func(ae *v1alpha1.AuditEvent) bool {
			gone := expired[ae.Name] && trail.IsCheckpoint(ae.Spec.Kind) == checkpoints && most > 0
			if gone {
				most--
			}
			return gone
		})
	}
}

// The trails live through several times their retention, with reapers that are killed. They are verified every third day,
// or with -short every twelfth.
func TestReapingDayAfterDayIsNoAlarm(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	y := &years{tb: t, root: newRoot(t), clock: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), ended: map[string][]*sealer{}}
	retired, every := int64(0), 3
	if testing.Short() {
		every = 12
	}
	for n := range 85 {
		begin := y.clock
		y.decide(func() {
			switch random.IntN(6) {
			case 0:
				y.reap(random.IntN(30))
				random.Shuffle(len(y.stored), func(i, j int) { y.stored[i], y.stored[j] = y.stored[j], y.stored[i] })
			case 1:
				y.reap(1 << 20)
			}
		})
		y.clock = begin.Add(day)
		if n%every > 0 {
			continue
		}
		got := report(t, y.root, places{"cluster": y.stored}, verify.Options{})
		if got.Verdict != verify.Intact {
			t.Errorf("after %d days: %s", n, got.Verdict)
			for _, f := range got.Findings {
				if f.Level != verify.LevelNote {
					t.Logf("%+v", f)
				}
			}
			return
		}
		retired = got.Retired
	}
	if retired < 300 || len(y.stored) > 1000 {
		t.Errorf("%d are retired, and %d there", retired, len(y.stored))
	}
}
