package sinktest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// inOwnProcess is set in the process whose races are expected.
const inOwnProcess = "SINKTEST_EXPECT_RACE"

// lateReader copies the event only when the destination answers, which may be
// after Write has returned.
var lateReader = flaw{
	name: "reads the event after its context ended",
	send: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		done := make(chan error, 1)
		go func() { done <- s.shelf.put(context.WithoutCancel(ctx), ae) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	},
}

func TestRaceDetectorCatchesASinkThatReadsTheEventAfterWrite(t *testing.T) {
	if os.Getenv(inOwnProcess) != "" {
		clause := clauseNamed(t, "keeps nothing of the event")
		if result := clause.Check(t.Context(), lateReader.harness(nil)); result.Err != nil {
			t.Log(result.Err)
		}
		return
	}
	if !raceDetector {
		t.Skip("run with -race: without it nobody sees the read")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inOwnProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "DATA RACE") {
		t.Errorf("the process ended with %v and saw no race:\n%s", err, out)
	}
}
