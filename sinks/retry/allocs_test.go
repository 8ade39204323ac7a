//go:build !race

package retry_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/retry"
)

// maxExtraAllocs is what a write may allocate when nothing is retried.
const maxExtraAllocs = 2

func TestAWriteThatIsNotRetriedAllocatesLittle(t *testing.T) {
	ae := event()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	count := func(s auditing.Sink) float64 {
		return testing.AllocsPerRun(10_000, func() {
			if err := s.Write(ctx, ae); err != nil {
				t.Fatal(err)
			}
		})
	}
	for name, next := range map[string]auditing.Sink{"of a destination that waits for nothing": instant{}, "of one that asks for the end": waiting{}} {
		bare, staged := count(next), count(newSink(t, next, retry.Options{}))
		t.Logf("%v allocations %s, without the stage %v", staged, name, bare)
		if staged-bare > maxExtraAllocs {
			t.Errorf("%v allocations %s, and without the stage %v: want at most %d more", staged, name, bare, maxExtraAllocs)
		}
	}
}
