// Release tags all modules of a release together: the root as v0.1.0, and each nested module that others can import as
// its folder and the version, such as sinks/loki/lokiclient/v0.1.0.
//
//	go -C tools/release run . -version v0.1.0 [-check | -n] [ROOT]
//
// It first sets the lines by which nested modules require each other and the root to that version. Where it had to,
// it ends there: the change is to be committed. It tags nothing unless every check passes, and it never pushes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

// options are the flags.
type options struct {
	root    string // the root folder of the source tree
	version string // such as v0.1.0
	check   bool   // only check: write no file and no tag
	dryRun  bool   // write nothing, and print the git commands
}

func main() {
	var opts options
	flag.StringVar(&opts.version, "version", "", "the version to tag, such as v0.1.0")
	flag.BoolVar(&opts.check, "check", false, "only check whether the version can be tagged: change nothing")
	flag.BoolVar(&opts.dryRun, "n", false, "check, and print the git commands instead of running them")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: release -version VERSION [-check | -n] [ROOT]\nROOT is the root of the source tree, ../.. by default.")
		flag.PrintDefaults()
	}
	flag.Parse()
	opts.root = "../.."
	if flag.NArg() == 1 {
		opts.root = flag.Arg(0)
	}
	if flag.NArg() > 1 || opts.version == "" || opts.check && opts.dryRun {
		flag.Usage()
		os.Exit(2)
	}
	report, err := run(context.Background(), opts)
	fmt.Print(report)
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run does what the flags say. The report names the modules and what is left to do; it is there with an error as well.
func run(ctx context.Context, opts options) (report string, err error) {
	repo := repository{opts.root}
	mods, err := repo.modules(ctx)
	if err != nil {
		return "", err
	}
	if err := checkVersion(mods, opts.version); err != nil {
		return "", err
	}
	report, tags := list(mods, opts.version)
	if !opts.check && !opts.dryRun {
		changed, err := mods.require(opts.version)
		if err != nil {
			return report, err
		}
		if len(changed) > 0 {
			return report, fmt.Errorf("%d files now require %s and nothing is tagged: commit them and run this again:\n%s",
				len(changed), opts.version, indented(changed))
		}
	}
	problems, err := repo.problems(ctx, mods, opts.version, tags)
	if err != nil {
		return report, err
	}
	if len(problems) > 0 {
		return report, fmt.Errorf("%s cannot be tagged:\n%s", opts.version, indented(problems))
	}
	if opts.check {
		return report + opts.version + " can be tagged\n", nil
	}
	done, err := repo.tag(ctx, tags, opts.dryRun)
	return report + done, err
}

// list returns a line for each module, and the tags of those that are released.
func list(mods modules, version string) (lines string, tags []string) {
	for _, mod := range mods {
		if !mod.released() {
			lines += "not released  " + mod.path() + "\n"
			continue
		}
		tag := mod.tag(version)
		tags = append(tags, tag)
		lines += "released      " + mod.path() + " by the tag " + tag + "\n"
	}
	return lines, tags
}
