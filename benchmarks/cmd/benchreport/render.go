package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The block of README.md that is rewritten stands between these lines.
const (
	readmeBegin = "<!-- benchmarks: written by make bench, from benchmarks/results -->"
	readmeEnd   = "<!-- benchmarks end -->"
)

const page = `# Benchmarks

What somebody would use instead of this library, side by side in one run: the same three events, the same disk, the
same servers. Written by ` + "`make bench`" + ` from the raw results in [benchmarks/results](../benchmarks/results), which are in the
Go benchmark format, so that benchstat reads them too. [performance.md](performance.md) says where the time goes.

How to read it:

- **Rounds.** Every round runs every question, and in it every peer once, beginning with another one each round, so that a
  drift of the machine hits all alike. What is shown are medians, and ± the 95%% interval of the median, as benchstat has it.
- **beside ours** is the peer's time divided by ours: above 1 the peer is slower. ~ marks a difference that chance explains
  (Mann-Whitney, 5%%).
- **CPU** is the processor time of the benchmark's own process for an event, by getrusage; servers are other processes. B
  and allocs are of the whole process too.
- **Events.** credential is a credential-issued event with all its fields, egress an egress-block event, prompt a prompt with
  1 KiB of detail.

%s
`

// renderAll writes the page, the plots and the README's table from the results of all questions.
func renderAll(from, root string) error {
	docs := filepath.Join(root, "docs")
	if err := os.MkdirAll(filepath.Join(docs, "benchmarks"), 0o755); err != nil {
		return err
	}
	all := map[string]*results{}
	config := map[string]string{}
	for _, q := range questions {
		r, err := read(filepath.Join(from, q.id+".txt"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was not asked yet
		}
		if err != nil {
			return err
		}
		if err := q.knows(r); err != nil {
			return err
		}
		all[q.id], config = r, r.config
	}
	var body strings.Builder
	for _, q := range questions {
		r := all[q.id]
		if r == nil {
			continue
		}
		d, err := q.plotOf(r)
		if err == nil {
			err = d.writeTo(filepath.Join(docs, "benchmarks", q.id+".svg"))
		}
		if err != nil {
			return fmt.Errorf("drawing %s: %w", q.id, err)
		}
		body.WriteString(q.section(r, config))
	}
	if body.Len() == 0 {
		return fmt.Errorf("%s holds no results: run make bench", from)
	}
	text := strings.TrimRight(fmt.Sprintf(page, measuredOn(config)), "\n") + "\n" + body.String()
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), []byte(text), 0o644); err != nil {
		return err
	}
	rows := glance(all)
	if len(rows) > 0 {
		d, err := glancePlot(rows)
		if err == nil {
			err = d.writeTo(filepath.Join(docs, "benchmarks", "glance.svg"))
		}
		if err != nil {
			return fmt.Errorf("drawing the README's comparison: %w", err)
		}
	}
	return replaceBlock(filepath.Join(root, "README.md"), glanceBlock(config, rows))
}

// measuredOn says where and with what the last of the results were measured.
func measuredOn(config map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s; %s; load average at the beginning %s; %s, commit %s.\n\n", config[keyDate],
		config[keyMachine], config[keySystem], config[keyLoad], config[keyGo], config[keyCommit])
	b.WriteString("Versions: ")
	for i, module := range strings.Fields(config[keyModules]) {
		if i > 0 {
			b.WriteString(", ")
		}
		path, version, _ := strings.Cut(module, "@")
		fmt.Fprintf(&b, "%s %s", path, version)
	}
	b.WriteString(".\n")
	return b.String()
}

// section is a question's part of the page. It says when the question was measured where that is not what the page says.
func (q question) section(r *results, page map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", q.title, q.intro)
	if r.config[keyDate] != page[keyDate] {
		fmt.Fprintf(&b, "Measured by itself on %s: load average at the beginning %s; %s, commit %s.\n\n",
			r.config[keyDate], r.config[keyLoad], r.config[keyGo], r.config[keyCommit])
	}
	fmt.Fprintf(&b, "![%s](benchmarks/%s.svg)\n\n", q.title, q.id)
	for _, p := range q.peers {
		fmt.Fprintf(&b, "- **%s**: %s.\n", p.label, p.text)
	}
	if len(q.peers) > 0 {
		b.WriteString("\n")
	}
	if len(q.aims) > 0 {
		b.WriteString("Aims:\n\n")
		for _, a := range q.aims {
			b.WriteString(a.judge(r))
		}
		b.WriteString("\n")
	}
	b.WriteString(q.tableOf(r))
	return b.String()
}

// replaceBlock rewrites what stands between the markers of a file.
func replaceBlock(path, block string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), readmeBegin+"\n")
	_, after, ended := strings.Cut(rest, readmeEnd)
	if !found || !ended {
		return fmt.Errorf("%s has no lines %q and %q around its table", path, readmeBegin, readmeEnd)
	}
	return os.WriteFile(path, []byte(before+readmeBegin+"\n"+block+readmeEnd+after), 0o644)
}
