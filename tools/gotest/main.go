// Gotest runs go test -json for every package of several modules, so that gotestsum can count them all in one summary.
// The packages that start no server are tested while make builds the servers, and the others when that is done.
//
//	gotest [-root ROOT] -modules "DIR…" [-server-flags "FLAG…"] -- FLAG…
//
// The flags behind -- are for go test. What it says itself, and make, are lines that are not JSON. It fails when a test
// fails, when the servers cannot be built, and when a package was not tested exactly once. An interrupt ends all that it
// has started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// suite is what is tested, and how.
type suite struct {
	root        string   // the root folder of the source tree, where make builds the servers
	modules     []string // their folders, relative to root
	flags       []string // of go test
	serverFlags []string // more of them, for packages that start servers
}

func main() {
	var s suite
	modules := flag.String("modules", "", "the folders of the modules to test, relative to the root, with spaces between them")
	serverFlags := flag.String("server-flags", "", "more flags of go test for the packages that start servers")
	flag.StringVar(&s.root, "root", ".", "the root of the source tree")
	flag.Parse()
	s.modules, s.serverFlags, s.flags = strings.Fields(*modules), strings.Fields(*serverFlags), flag.Args()
	if len(s.modules) == 0 {
		fmt.Fprintln(os.Stderr, "gotest: name the modules to test with -modules")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := s.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

// run tests everything. It goes on when a test fails, and returns all that was wrong.
func (s suite) run(ctx context.Context) error {
	began := time.Now()
	var mods []module
	for _, dir := range s.modules {
		m, err := s.list(ctx, dir)
		if err != nil {
			return err
		}
		mods = append(mods, m)
	}

	var building sync.WaitGroup
	var built error
	building.Go(func() {
		// The tests have deadlines, and the build has none: so it yields to them.
		built = s.command(ctx, ".", os.Stdout, "nice", "make", "--no-print-directory", "tools")
		if built == nil {
			fmt.Printf("gotest: the servers were there after %.0f s\n", time.Since(began).Seconds())
		}
	})
	t := &tests{suite: s, ended: map[string]int{}}
	var errs []error
	for _, m := range mods {
		errs = append(errs, t.test(ctx, m.dir, m.plain, nil))
	}
	fmt.Printf("gotest: the tests without a server ended after %.0f s\n", time.Since(began).Seconds())
	building.Wait()
	if built != nil {
		errs = append(errs, fmt.Errorf("the servers could not be built, so the packages that start them are not tested: make tools: %w", built))
	} else {
		for _, m := range mods {
			errs = append(errs, t.test(ctx, m.dir, m.servers, s.serverFlags))
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return errors.Join(append(errs, t.missed(mods))...)
}
