// Command benchreport runs the benchmarks of this module in interleaved rounds, keeps their raw results in the Go
// benchmark format, and renders docs/benchmarks.md, its plots, and the table in README.md from them.
//
// Every round runs every question once, and within a question every peer once, so that a drift of the machine hits all
// alike. Run it in the folder benchmarks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// options are what the command line says.
type options struct {
	quick   bool
	rounds  int
	only    string
	render  bool
	results string
	into    string
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "one short round with one event, printed and not kept")
	flag.IntVar(&o.rounds, "rounds", 6, "how many rounds to run; an interval of 95% takes 6")
	flag.StringVar(&o.only, "only", "", "questions to run, comma separated, of "+strings.Join(ids(questions), ","))
	flag.BoolVar(&o.render, "render", false, "run nothing, render the results that are kept")
	flag.StringVar(&o.results, "results", "results", "folder of the raw results")
	flag.StringVar(&o.into, "into", "..", "folder with docs and README.md to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchreport:", err)
		os.Exit(1)
	}
}

func (o options) run(ctx context.Context) error {
	chosen, err := o.questions()
	if err != nil {
		return err
	}
	if o.quick {
		return o.runQuick(ctx, chosen)
	}
	if !o.render {
		s := session{questions: chosen, rounds: o.rounds, dir: o.results}
		if err := s.run(ctx); err != nil {
			return err
		}
	}
	return renderAll(o.results, o.into)
}

// runQuick prints its tables and leaves what is kept alone.
func (o options) runQuick(ctx context.Context, chosen []question) (err error) {
	dir, err := os.MkdirTemp("", "bench-quick-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(q question) bool {
		return !slices.ContainsFunc(q.runs, func(r run) bool { return r.quick > 0 })
	})
	s := session{questions: chosen, rounds: 1, quick: true, dir: dir}
	if err := s.run(ctx); err != nil {
		return err
	}
	for _, q := range chosen {
		r, err := read(filepath.Join(dir, q.id+".txt"))
		if err != nil {
			return err
		}
		if err := q.knows(r); err != nil {
			return err
		}
		fmt.Printf("\n## %s\n\n%s", q.title, q.tableOf(r))
	}
	return nil
}

func (o options) questions() ([]question, error) {
	if o.only == "" {
		return slices.DeleteFunc(slices.Clone(questions), func(q question) bool { return q.apart }), nil
	}
	var chosen []question
	for id := range strings.SplitSeq(o.only, ",") {
		i := slices.Index(ids(questions), id)
		if i < 0 {
			return nil, fmt.Errorf("-only: there is no question %q: choose from %s", id, strings.Join(ids(questions), ", "))
		}
		chosen = append(chosen, questions[i])
	}
	return chosen, nil
}

func ids(of []question) (names []string) {
	for _, q := range of {
		names = append(names, q.id)
	}
	return names
}
