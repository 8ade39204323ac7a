package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/verify"
)

// printReport prints what a verification found. Its error has the exit code of the verdict.
func printReport(env *environment, r *verify.Report, form string) error {
	var err error
	if form == "json" {
		err = printJSON(env, r)
	} else {
		err = printVerdict(env, r)
	}
	if err != nil {
		return err
	}
	return exitOf(r.Verdict)
}

// printVerdict prints trail by trail, then the findings, then the verdict.
func printVerdict(env *environment, r *verify.Report) error {
	var lines []string
	for i := range r.Trails {
		lines = append(lines, trailLines(&r.Trails[i])...)
	}
	if len(r.Findings) > 0 && len(lines) > 0 {
		lines = append(lines, "")
	}
	tail := int64(0)
	for i := range r.Findings {
		lines = append(lines, findingLines(&r.Findings[i])...)
	}
	for i := range r.Trails {
		tail += r.Trails[i].Tail
	}
	last := "verdict: " + string(r.Verdict)
	if r.Verdict == verify.Intact && tail > 0 {
		last += fmt.Sprintf(", but for %d events that no signature protects yet", tail)
	}
	if r.Retired > 0 {
		last += fmt.Sprintf("; %d retired", r.Retired)
	}
	for _, line := range append(lines, "", last) {
		if _, err := fmt.Fprintln(env.out, output.Harmless(line)); err != nil {
			return err
		}
	}
	return nil
}

func trailLines(t *verify.Trail) []string {
	state := "open, or killed"
	if t.Closed {
		state = "closed"
	}
	lines := []string{
		titleOf(t),
		fmt.Sprintf("  %s; events %s at %s", state, span(t.FirstIndex, t.LastIndex), strings.Join(t.Places, ", ")),
		fmt.Sprintf("  %d intact of %d that %d checkpoints sign", t.Intact, t.Size, t.Checkpoints),
	}
	if !t.FirstTime.IsZero() {
		lines = append(lines, fmt.Sprintf("  from %s to %s", t.FirstTime.UTC().Format(time.RFC3339Nano), t.LastTime.UTC().Format(time.RFC3339Nano)))
	}
	for _, count := range []struct {
		n    int64
		what string
	}{
		{t.Failed, "were not stored: the write failed"},
		{t.Unclear, "are not there: the outcome of the write was unclear"},
		{t.Unresolved, "are not there: the trail ends before their outcome"},
		{t.Retired, "were deleted by a reaper when their time was over"},
		{t.Tail, "are behind the last checkpoint"},
		{t.Repeats, "are there once more"},
	} {
		if count.n > 0 {
			lines = append(lines, fmt.Sprintf("  %d %s", count.n, count.what))
		}
	}
	return lines
}

func findingLines(f *verify.Finding) []string {
	var about []string
	if f.Trail != "" {
		about = append(about, "trail "+f.Trail)
	}
	if f.Index >= 0 {
		about = append(about, "index "+span(f.Index, f.Last))
	}
	if f.Name != "" {
		about = append(about, f.Name)
	}
	if place := cmp.Or(f.At, f.Place); place != "" {
		if f.At != "" && f.Place != "" {
			place = f.Place + " (" + f.At + ")"
		}
		about = append(about, "at "+place)
	}
	line := fmt.Sprintf("%s: %s", f.Level, f.Code)
	if len(about) > 0 {
		line += ": " + strings.Join(about, ", ")
	}
	lines := []string{line, "    " + f.Text}
	for _, note := range f.Notes {
		for part := range strings.SplitSeq(strings.TrimSuffix(note, "\n"), "\n") {
			lines = append(lines, "    | "+part)
		}
		lines = append(lines, "")
	}
	return lines
}
