// Licences is the licence gate of the repository: it classifies the licence of every module that a require line of
// any go.mod names, indirect ones and those of tools included, from the texts in the module cache. It fails for a
// licence that the policy does not accept for what the module is for, and for a text that it does not know.
//
//	go -C tools/licences run . [-known FILE] ROOT
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	known := flag.String("known", "known.yaml", "the file of known licence texts")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: licences [-known FILE] ROOT\nROOT is the root of the source tree.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	res, err := check(context.Background(), flag.Arg(0), *known)
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(2)
	}
	report, ok := res.report()
	fmt.Println(report)
	if !ok {
		os.Exit(1)
	}
}

// report returns the problems, or one line that says what was found, and whether all is well.
func (res result) report() (lines string, ok bool) {
	if len(res.problems) > 0 {
		return fmt.Sprintf("%s\nlicences: %d to settle: see Licences of dependencies in CONTRIBUTING.md",
			strings.Join(res.problems, "\n"), len(res.problems)), false
	}
	names := make([]string, 0, len(res.licences))
	for name := range res.licences {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if res.licences[a] != res.licences[b] {
			return res.licences[b] - res.licences[a]
		}
		return strings.Compare(a, b)
	})
	counts := make([]string, len(names))
	for i, name := range names {
		counts[i] = fmt.Sprintf("%s %d", name, res.licences[name])
	}
	return fmt.Sprintf("licences: %d module versions of %d go.mod files, some under several: %s",
		res.modules, res.goMods, strings.Join(counts, ", ")), true
}
