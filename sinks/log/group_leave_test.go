package log

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestWriterLeavesGroupWithItsContext(t *testing.T) {
	for leaver, who := range []string{"leader", "follower"} {
		for _, mayBlock := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, mayBlock %t", who, mayBlock), func(t *testing.T) {
				out := &scripted{takes: -1}
				h := hold(out)
				sink := newLineSink("file", &lineWriter{to: h, mayBlock: mayBlock, group: maxChunk}, Options{})
				events := batchOf(t, 5)
				first := storing(context.Background(), sink, events[0])
				<-h.entered
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var outcomes []<-chan error
				for i, e := range events[1:] {
					own := t.Context()
					if i == leaver {
						own = ctx
					}
					outcomes = append(outcomes, storing(own, sink, e))
					await(t, "the writers gather", func() bool { return gathered(sink) == i+1 })
				}
				cancel()
				err := <-outcomes[leaver]
				if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout || !strings.Contains(err.Error(), "not written") {
					t.Errorf("the writer that left got %v", err)
				}
				close(h.release)
				must(t, <-first)
				for i, outcome := range outcomes {
					if i != leaver {
						must(t, <-outcome)
					}
				}
				must(t, sink.Close(t.Context()))
				left := events[1+leaver]
				if want := strings.Replace(textOf(events), string(lineOf(left)), "", 1); out.String() != want {
					t.Errorf("the output is\n%swant\n%s", out.String(), want)
				}
			})
		}
	}
}

func TestContextEndsWhileGroupIsWritten(t *testing.T) {
	out := &scripted{takes: -1}
	h := hold(out)
	sink := newLineSink("stderr", &lineWriter{to: h, mayBlock: true, group: maxChunk}, Options{})
	events := batchOf(t, 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	first := storing(t.Context(), sink, events[0])
	<-h.entered
	var hasty []<-chan error // the leader among them
	for i, e := range events[1:3] {
		hasty = append(hasty, storing(ctx, sink, e))
		await(t, "the writers gather", func() bool { return gathered(sink) == i+1 })
	}
	patient := storing(t.Context(), sink, events[3])
	await(t, "the writers gather", func() bool { return gathered(sink) == 3 })
	h.holds.Store(true) // the group too
	h.release <- struct{}{}
	<-h.entered
	must(t, <-first)
	cancel()
	for _, outcome := range hasty {
		if err := <-outcome; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("a writer whose line is being written got %v", err)
		}
	}
	select {
	case err := <-patient:
		t.Errorf("a writer whose context has not ended got %v", err)
	default:
	}
	close(h.release)
	must(t, <-patient)
	if out.String() != textOf(events) {
		t.Errorf("the output is %s", out.String())
	}
}

func TestCloseRefusesGroupThatWaits(t *testing.T) {
	for _, leaderLeft := range []bool{false, true} {
		t.Run(fmt.Sprintf("leader left %t", leaderLeft), func(t *testing.T) { closeRefusesGroup(t, leaderLeft) })
	}
}

func closeRefusesGroup(t *testing.T, leaderLeft bool) {
	t.Helper()
	out := &scripted{takes: -1}
	h := hold(out)
	sink := newLineSink("file", &lineWriter{to: h, mayBlock: true, group: maxChunk}, Options{})
	events := batchOf(t, 4)
	first := storing(t.Context(), sink, events[0])
	<-h.entered
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leader := storing(ctx, sink, events[1])
	await(t, "the leader waits", func() bool { return gathered(sink) == 1 })
	var waiting []<-chan error
	for i, e := range events[2:] {
		waiting = append(waiting, storing(t.Context(), sink, e))
		await(t, "the writers gather", func() bool { return gathered(sink) == i+2 })
	}
	if leaderLeft {
		cancel()
		if err := <-leader; err == nil {
			t.Error("the leader left with nil")
		}
	} else {
		waiting = append(waiting, leader)
	}
	ended, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	if err := sink.Close(ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close while a write hangs gave %v", err)
	}
	for _, outcome := range waiting {
		err := <-outcome
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			t.Errorf("a writer in the group got %v", err)
		}
	}
	close(h.release)
	must(t, <-first, sink.Close(t.Context()))
	if out.String() != textOf(events[:1]) {
		t.Errorf("the output is %s", out.String())
	}
}
