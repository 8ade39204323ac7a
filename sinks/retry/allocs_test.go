//go:build !race

package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/retry"
)

// When nothing is retried the stage allocates what context.WithTimeout does, and
// nothing where the caller's deadline is earlier than Timeout.
func TestAWriteThatIsNotRetriedAllocatesLittle(t *testing.T) {
	ae := event()
	endless, cancel := context.WithCancel(context.Background())
	defer cancel()
	bounded, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	count := func(ctx context.Context, s auditing.Sink) float64 {
		return testing.AllocsPerRun(10_000, func() {
			if err := s.Write(ctx, ae); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, c := range []struct {
		name string
		next driver.Driver
		ctx  context.Context
		opts retry.Options
		most float64
	}{
		{"of a destination that waits for nothing", instant{}, endless, retry.Options{}, 4},
		{"of one that asks for the end", waiting{}, endless, retry.Options{}, 5},
		{"within the caller's deadline", waiting{}, bounded, retry.Options{Within: 2 * time.Hour, Timeout: 2 * time.Hour}, 0},
	} {
		next := driver.New(c.next)
		bare, staged := count(c.ctx, next), count(c.ctx, newSink(t, next, c.opts))
		t.Logf("%v allocations %s, without the stage %v", staged, c.name, bare)
		if staged-bare > c.most {
			t.Errorf("%v allocations %s, and without the stage %v: want at most %v more", staged, c.name, bare, c.most)
		}
	}
}
