//go:build !race

package retry_test

import (
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/retry"
)

// maxExtraAllocs is what a write may allocate when nothing is retried.
const maxExtraAllocs = 2

func TestAWriteThatIsNotRetriedAllocatesLittle(t *testing.T) {
	ae := event()
	count := func(s auditing.Sink) float64 {
		return testing.AllocsPerRun(1000, func() {
			if err := s.Write(t.Context(), ae); err != nil {
				t.Fatal(err)
			}
		})
	}
	bare, staged := count(instant{}), count(newSink(t, instant{}, retry.Options{}))
	t.Logf("%v allocations, without the stage %v", staged, bare)
	if staged-bare > maxExtraAllocs {
		t.Errorf("%v allocations, and without the stage %v: want at most %d more", staged, bare, maxExtraAllocs)
	}
}
