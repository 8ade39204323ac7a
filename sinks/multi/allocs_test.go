//go:build !race

package multi_test

import (
	"context"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/multi"
)

// Each child may cost a new goroutine. The rest is the prepared event, which all
// share, the fan, its channel, and what the outcomes are gathered in.
func TestAWriteCopiesTheEventOnceForAllChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	children := make([]multi.Child, 8)
	for i := range children {
		children[i] = multi.Child{Name: string(rune('a' + i)), Sink: auditing.NoopSink{}}
	}
	for n := 1; n <= len(children); n++ {
		sink, err := multi.New(children[:n], multi.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ae, err := write(ctx, sink)
		if err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(1000, func() {
			if err := sink.Write(ctx, ae); err != nil {
				t.Fatal(err)
			}
		})
		if most := float64(4 + n); got > most {
			t.Errorf("%d children: %v allocations, want at most %v", n, got, most)
		}
	}
}
