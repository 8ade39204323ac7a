//go:build !race

package flood_test

import (
	"testing"

	"github.com/paddock-dev/audit/auditing"
)

// maxExtraAllocs is what a write may allocate when nothing is collapsed.
const maxExtraAllocs = 2

func TestAWriteThatIsNotCollapsedAllocatesLittle(t *testing.T) {
	events := newFresh(t)
	count := func(s auditing.Sink) float64 {
		return testing.AllocsPerRun(200_000, func() {
			if err := s.Write(t.Context(), events.next()); err != nil {
				t.Fatal(err)
			}
		})
	}
	bare := count(instant)
	staged := count(newSink(t, instant, uncollapsed))
	t.Logf("%v allocations, without the stage %v", staged, bare)
	if staged-bare > maxExtraAllocs {
		t.Errorf("%v allocations, and without the stage %v: want at most %d more", staged, bare, maxExtraAllocs)
	}
}
