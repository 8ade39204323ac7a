package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/verify"
)

// Exit codes of verify, which has others than the other commands.
const (
	tampered      = 1
	undetermined  = 2
	verifyMisused = 3
)

const verifyName = "verify"

func verifyCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: verifyName + " --trust FILE [[PLACE=]FILE...]", Short: "Say whether a sealed trail is what its components wrote",
		Long: `verify reads everything that the sources hold, and tells whether sealed trails were edited, thinned, extended, forked
or cut off. It believes the keys of --trust alone. It prints each trail, then the findings, then one verdict.

Files are one place, which is called files. PLACE=FILE gives them the name of the destination that they were
exported from: what a component says of a destination counts for the place of its name.

Its exit codes are its own: 0 intact, 1 tampered, 2 undetermined, 3 wrong use.`,
		Example: "auditctl verify --trust trust.yaml audit.log\n" +
			"auditctl verify --trust trust.yaml --kube loki=lake.ndjson\n" +
			"auditctl verify --trust trust.yaml --proof event.json",
		Args: cobra.ArbitraryArgs,
	}
	from := addSources(env, cmd)
	path := addTrust(cmd)
	proof := cmd.Flags().String("proof", "", "check this `file` of auditctl prove alone")
	late := cmd.Flags().Duration("late", 0,
		"how long a spool may hold events back: what is said of the `time` just before is not held against a place (default 1h where --config or --spool names a spool)")
	form := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		env.cutOff.Store(undetermined)
		if *late < 0 {
			return misuse(cmd, fmt.Errorf("--late %s: want 0s or more", *late))
		}
		if !cmd.Flags().Changed("late") {
			*late = -1
		}
		trust, err := loadTrust(cmd, *path)
		if err != nil {
			return err
		}
		var report *verify.Report
		if *proof != "" {
			report, err = checkProof(cmd, trust, *proof, args)
		} else {
			report, err = verifySources(cmd, trust, from, args, *late)
		}
		if err != nil {
			return err
		}
		return printReport(env, report, form.value)
	}
	return cmd
}

func addTrust(cmd *cobra.Command) *string {
	path := cmd.Flags().String("trust", "", "`file` of the keys and components that are trusted")
	_ = cmd.MarkFlagFilename("trust", "yaml") // it is there
	return path
}

func loadTrust(cmd *cobra.Command, path string) (*verify.Trust, error) {
	if path == "" {
		return nil, misuse(cmd, errors.New("--trust is missing: nothing is proven without keys that are trusted"))
	}
	trust, err := verify.LoadTrust(path)
	if err != nil {
		return nil, misuse(cmd, fmt.Errorf("--trust: %w", err))
	}
	return trust, nil
}

func checkProof(cmd *cobra.Command, trust *verify.Trust, path string, args []string) (*verify.Report, error) {
	if len(args) > 0 {
		return nil, misuse(cmd, errors.New("--proof is checked alone: name no files beside it"))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, misuse(cmd, fmt.Errorf("--proof: %w", err))
	}
	p, err := verify.ParseProof(text)
	var report *verify.Report
	if err == nil {
		report, err = p.Check(trust)
	}
	if err != nil {
		return nil, misuse(cmd, fmt.Errorf("--proof %s: %w", path, err))
	}
	return report, nil
}

func verifySources(cmd *cobra.Command, trust *verify.Trust, from *sources, args []string, late time.Duration) (*verify.Report, error) {
	v, _, err := verified(cmd.Context(), trust, from, args, late)
	if err != nil {
		return nil, err
	}
	return v.Report(), nil
}

// spoolsHold is how long a spool is taken to hold events back when nothing is said of it.
const spoolsHold = time.Hour

// verified returns a Verifier that has read all sources, and these. Places may have events
// late by so much; below 0 nothing is said of that.
func verified(ctx context.Context, trust *verify.Trust, from *sources, args []string, late time.Duration) (*verify.Verifier, []reading.Source, error) {
	all, live, err := from.ofPlaces(args)
	if err != nil {
		return nil, nil, err
	}
	o := verify.Options{}
	if late < 0 && len(from.passing) > 0 {
		late = spoolsHold
	}
	if live || late > 0 {
		o.Before = from.env.now().Add(-max(late, 0))
	}
	for place := range from.passing {
		o.Partial = append(o.Partial, place)
	}
	v := verify.New(trust, o)
	err = v.Read(ctx, all...)
	return v, all, err
}

// ofPlaces returns the sources of a command whose arguments are files, each of which may have
// the name of its place before it. live reports that flags name sources.
func (s *sources) ofPlaces(args []string) (all []reading.Source, live bool, err error) {
	all, err = s.named(nil, len(args) == 0)
	live = len(all) > 0
	if err == nil && !live && len(args) == 0 {
		err = misuse(s.cmd, errNoSource)
	}
	if err != nil {
		return nil, false, err
	}
	files := map[string][]string{}
	var names []string
	for _, arg := range args {
		name, path := placeOf(arg)
		if files[name] == nil {
			names = append(names, name)
		}
		files[name] = append(files[name], path)
	}
	for _, name := range names {
		if err := s.once(files[name]); err != nil {
			return nil, false, err
		}
		all = append(all, reading.FilesWithInput(name, s.env.in, files[name]...))
	}
	return all, live, s.distinct(all)
}

// placeOf returns the name of the place of an argument, and the path.
func placeOf(arg string) (name, path string) {
	const unnamed = "files"
	name, path, named := strings.Cut(arg, "=")
	if _, err := os.Lstat(arg); err == nil || !named || name == "" || strings.ContainsRune(name, filepath.Separator) {
		return unnamed, arg
	}
	return name, path
}

// exitOf returns the exit code of a verdict.
func exitOf(v verify.Verdict) error {
	code := map[verify.Verdict]int{verify.Tampered: tampered, verify.Undetermined: undetermined}[v]
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

func proveCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "prove NAME --trust FILE [[PLACE=]FILE...]", Short: "Write a proof that one event was sealed",
		Long: `prove prints a proof of the event NAME, or NAMESPACE/NAME, as JSON: the event, the hashes that lead to a
signed checkpoint, that checkpoint, and the certificate of its key. auditctl verify --proof checks it alone.`,
		Example: "auditctl prove ae-01jsdd5r6n7zqkpxm5t2e3v4w8 --trust trust.yaml audit.log > event.json",
		Args:    operands(1, -1, "the name of an event"),
	}
	from := addSources(env, cmd)
	path := addTrust(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if slices.ContainsFunc(args[1:], func(arg string) bool { _, file := placeOf(arg); return file == stdin }) {
			return misuse(cmd, errors.New("the standard input can be read once, and prove reads twice: give a file"))
		}
		trust, err := loadTrust(cmd, *path)
		if err != nil {
			return err
		}
		v, all, err := verified(cmd.Context(), trust, from, args[1:], -1)
		if err != nil {
			return err
		}
		if report := v.Report(); report.Verdict == verify.Tampered {
			printError(env, errors.New("auditctl: these sources were tampered with: auditctl verify says how"))
		}
		proof, err := v.Prove(cmd.Context(), args[0], all...)
		if err != nil {
			return fmt.Errorf("auditctl: %w", err)
		}
		return printJSON(env, proof)
	}
	return cmd
}

// span prints two ends as one range.
func span(first, last int64) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// titleOf prints "NAME of CLUSTER/COMPONENT" as far as that is known.
func titleOf(t *verify.Trail) string {
	title := "trail " + t.ID
	if t.Component != "" {
		title += " of " + t.Cluster + "/" + t.Component
	}
	title += ", vouched for by " + cmp.Or(t.VouchedBy, "nobody")
	if t.ServiceAccount != "" {
		title += ": service account " + t.ServiceAccount
	}
	if t.Pod != "" {
		title += ", pod " + t.Pod
	}
	return title
}
