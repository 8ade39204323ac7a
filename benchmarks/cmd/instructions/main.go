// Command instructions counts the instructions that one event takes on each way through the library, with valgrind's
// callgrind, and compares them with those in a file. A busy machine does not change them, so that they show slow creep
// that times hide. Run it in the folder benchmarks.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
)

const (
	// few is how many events the first of two runs of a path has. What starting takes is in both.
	few = 400
	// rounds is how often a path is counted. Its count is the median.
	rounds = 3
	// tolerance is by which part a count may grow.
	tolerance = 0.05
)

func main() {
	var (
		update = flag.Bool("update", false, "write the file instead of comparing with it")
		file   = flag.String("baseline", "results/instructions.txt", "file of the counts")
		walk   = flag.String("walk", "", "walk this path and count nothing: what valgrind runs")
		events = flag.Int("events", few, "events to walk it with")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if *walk != "" {
		err = walkPath(ctx, *walk, *events)
	} else {
		err = compare(ctx, *file, *update)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

// walkPath does what is counted. It does not collect garbage, whose cost hangs on the heap and not on the path.
func walkPath(ctx context.Context, name string, events int) (err error) {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp("", "instructions-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, p := range paths {
		if p.name != name {
			continue
		}
		each, err := p.open(dir)
		if err != nil {
			return err
		}
		for range events {
			if err := each(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("there is no path %q", name)
}

// compare counts all paths and holds them against the file, or writes it.
func compare(ctx context.Context, file string, update bool) error {
	if _, err := exec.LookPath("valgrind"); err != nil {
		return fmt.Errorf("%w: install valgrind, which counts the instructions", err)
	}
	var known *baseline
	if !update {
		var err error
		if known, err = readBaseline(file); err != nil {
			return fmt.Errorf("%w: make bench-instructions-update writes it", err)
		}
		if known.toolchain != toolchain() {
			return fmt.Errorf("%s was counted with %s, and this is %s, whose compiler makes other code: count it anew with make bench-instructions-update on the commit before yours",
				file, known.toolchain, toolchain())
		}
	}
	now := &baseline{toolchain: toolchain()}
	for _, p := range paths {
		var all []int64
		for range rounds {
			each, err := p.count(ctx)
			if err != nil {
				return err
			}
			all = append(all, each)
		}
		slices.Sort(all)
		now.counts = append(now.counts, counted{p.name, all[rounds/2]})
		fmt.Println(now.counts[len(now.counts)-1].report(known))
	}
	if update {
		return os.WriteFile(file, now.text(), 0o644)
	}
	return now.alarm(known)
}

func toolchain() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

// count returns the instructions of one event.
func (p path) count(ctx context.Context) (int64, error) {
	less, err := callgrind(ctx, p.name, few)
	if err != nil {
		return 0, err
	}
	more, err := callgrind(ctx, p.name, p.events)
	return (more - less) / int64(p.events-few), err
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// callgrind returns the instructions of a whole run.
func callgrind(ctx context.Context, name string, events int) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self, "-walk", name, "-events", strconv.Itoa(events))
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1") // callgrind cannot take the signals by which Go preempts
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("valgrind, on the path %s: %w: %.1000s", name, err, said.String())
	}
	found := collected.FindSubmatch(said.Bytes())
	if found == nil {
		return 0, fmt.Errorf("valgrind says of the path %s no number of instructions: %.1000s", name, said.String())
	}
	return strconv.ParseInt(string(found[1]), 10, 64)
}
