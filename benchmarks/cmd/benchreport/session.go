package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

// session runs questions in rounds and keeps what they print in a file each.
type session struct {
	questions []question
	rounds    int
	quick     bool
	dir       string // of the results

	binaries string // folder of the benchmark binaries
}

func (s session) run(ctx context.Context) (err error) {
	machine, err := describeMachine(ctx)
	if err != nil {
		return err
	}
	if s.binaries, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.binaries)) }()
	begun := time.Now()
	s.say("building the benchmarks; expected after that: %s on two quiet cores", s.expected().Round(time.Second))
	if err := s.build(ctx); err != nil {
		return err
	}
	files, err := s.create(machine)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			err = errors.Join(err, f.Close())
		}
	}()
	for round := range s.rounds {
		start := time.Now()
		for _, q := range s.questions {
			if err := s.ask(ctx, q, round, files[q.id]); err != nil {
				return err
			}
		}
		s.say("round %d of %d took %s", round+1, s.rounds, time.Since(start).Round(time.Second))
	}
	s.say("all took %s", time.Since(begun).Round(time.Second))
	return nil
}

func (s session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "benchreport: "+format+"\n", args...)
}

// times is in how many of the rounds a run takes part, and with how many events.
func (s session) times(r run) (rounds, events int) {
	rounds, events = s.rounds, r.full
	if s.quick {
		events = r.quick
	}
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	if events == 0 {
		rounds = 0
	}
	return rounds, events
}

func (s session) expected() time.Duration {
	var seconds float64
	for _, q := range s.questions {
		for _, r := range q.runs {
			rounds, events := s.times(r)
			seconds += float64(rounds) * r.seconds * float64(events) / float64(r.full)
		}
	}
	if s.quick { // one event of three
		seconds /= 2
	}
	return time.Duration(seconds * float64(time.Second))
}

// build makes a binary of every package, once, so that no round waits for the compiler.
func (s session) build(ctx context.Context) error {
	done := map[string]bool{}
	for _, q := range s.questions {
		if done[q.dir] {
			continue
		}
		done[q.dir] = true
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", s.binary(q), "./"+q.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", q.dir, err, out)
		}
	}
	return nil
}

func (s session) binary(q question) string { return filepath.Join(s.binaries, q.dir+".test") }

func (s session) create(machine string) (map[string]*os.File, error) {
	files := map[string]*os.File{}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	for _, q := range s.questions {
		f, err := os.Create(filepath.Join(s.dir, q.id+".txt"))
		if err != nil {
			return nil, err
		}
		if _, err := f.WriteString(machine); err != nil {
			return nil, err
		}
		files[q.id] = f
	}
	return files, nil
}

// ask runs a question once.
func (s session) ask(ctx context.Context, q question, round int, into io.Writer) error {
	if _, err := fmt.Fprintf(into, "\nround: %d\n", round+1); err != nil {
		return err
	}
	for _, r := range q.runs {
		rounds, events := s.times(r)
		if round >= rounds {
			continue
		}
		cmd := exec.CommandContext(ctx, s.binary(q), "-test.run=^$", "-test.timeout=30m",
			"-test.bench="+r.benchmarks(s.quick), fmt.Sprintf("-test.benchtime=%dx", events))
		cmd.Dir = q.dir
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", bench.RoundEnv, round))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %s: %w\n%s%s", q.dir, r.pattern, err, out, stderr.String())
		}
		if err := keep(into, out); err != nil {
			return fmt.Errorf("%s: %s: %w", q.dir, r.pattern, err)
		}
	}
	return nil
}

// keep writes the results among the lines of out, and the seed of their order, and refuses an output without results.
func keep(into io.Writer, out []byte) error {
	found := false
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		isResult := strings.HasPrefix(line, "Benchmark")
		if !isResult && !strings.HasPrefix(line, bench.SeedLine) {
			continue
		}
		found = found || isResult
		if _, err := fmt.Fprintln(into, line); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no results in what was printed:\n%s", out)
	}
	return nil
}
