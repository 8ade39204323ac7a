// Package pages finds the commands that the project's Markdown pages show, so that tests can run them.
//
// Commands stand in
//
//   - indented blocks, in which every line is a command;
//   - fences of the language sh, likewise;
//   - fences of the languages console and text, in lines that begin with "$ ". What follows is what the command prints;
//   - code within a text that begins with the name of a program and has something behind it, such as `make lint`.
//
// A line that ends with a backslash goes on in the next one. A comment of its own in front of a block,
//
//	<!-- not run: needs a Docker engine -->
//
// says why no test runs the commands of that block.
package pages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The kinds of blocks that are no fences. That of a fence is its language.
const (
	Indented = "indented"
	Inline   = "inline"
)

// Command is a command that a page shows.
type Command struct {
	Page   string // its path below the root of the repository, with slashes
	Line   int    // where it begins, from 1
	Block  string // "console", "text", "sh", Indented or Inline
	Text   string // as a shell takes it, with its comment
	Output string // what the page shows below it
	NotRun string // why no test runs it; empty for most
}

// String says where the command is, and what it is.
func (c Command) String() string { return fmt.Sprintf("%s:%d: %s", c.Page, c.Line, c.Text) }

var assignments = regexp.MustCompile(`^([A-Z_]+=\S* )*`)

// Program is the first word of the command, behind assignments of variables.
func (c Command) Program() string {
	program, _, _ := strings.Cut(assignments.ReplaceAllString(c.Text, ""), " ")
	return program
}

// All returns the commands of all pages of the repository whose root this is. It leaves out the folder bin.
func All(root string) (all []Command, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == filepath.Join(root, "bin") || entry.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		page, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found, err := Of(root, filepath.ToSlash(page))
		all = append(all, found...)
		return err
	})
	return all, err
}

// Of returns the commands of a page in their order: first those of blocks, then those within the text. Path is the page's
// path below the root. A block that is neither commands nor of a known language is an error.
func Of(root, path string) ([]Command, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	p := page{path: path}
	if err := p.read(string(text)); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return append(p.commands, p.inline()...), nil
}

// page is a page that is being read, line by line.
type page struct {
	path     string
	line     int
	commands []Command
	prose    strings.Builder // the page with its blocks emptied

	language string // of the fence that is open, with its marks; empty outside
	marks    string
	indented bool   // the line before belongs to an indented block
	blank    bool   // the line before is empty
	reason   string // of the mark that waits for its block
	runs     string // the reason that holds for the open block
	goesOn   bool   // the line before ends with a backslash
	shows    bool   // the open fence has a command, and shows what it prints
}

var (
	fence     = regexp.MustCompile("^ {0,3}(```+|~~~+) *([a-z]*)")
	notRun    = regexp.MustCompile(`^<!-- not run:(.*)-->$`)
	languages = []string{"console", "text", "sh", "go", "json", "yaml", "promql", "logql"}
)

func (p *page) read(text string) error {
	p.blank = true
	for line := range strings.Lines(text) {
		p.line++
		line = strings.TrimSuffix(line, "\n")
		prose, err := p.next(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", p.path, p.line, err)
		}
		p.prose.WriteString(prose + "\n")
		p.blank = strings.TrimSpace(line) == ""
	}
	err := p.unused()
	if p.marks != "" {
		err = errors.New("the last fence is not closed")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	return nil
}

// next takes a line, and returns what of it is prose.
func (p *page) next(line string) (prose string, err error) {
	mark := fence.FindStringSubmatch(line)
	switch {
	case p.marks != "" && mark != nil && mark[1] == p.marks:
		p.marks, p.goesOn = "", false
	case p.marks != "":
		p.inFence(line)
	case mark != nil:
		p.marks, p.language = mark[1], mark[2]
		p.begin()
		if !slices.Contains(languages, p.language) {
			err = fmt.Errorf("the fence has the language %q: give it one of %s; commands are in sh, console or an indented block", p.language, strings.Join(languages, ", "))
		}
	case strings.HasPrefix(line, "    ") && (p.blank || p.indented):
		if !p.indented {
			p.begin()
		}
		p.indented = true
		p.add(Indented, strings.TrimSpace(line))
	default:
		return line, p.text(line)
	}
	return "", err
}

// text takes a line outside blocks, which may be a mark.
func (p *page) text(line string) error {
	if strings.TrimSpace(line) == "" {
		return nil // a mark waits, and an indented block may go on
	}
	p.indented, p.goesOn = false, false
	if err := p.unused(); err != nil {
		return err
	}
	if mark := notRun.FindStringSubmatch(line); mark != nil {
		if p.reason = strings.TrimSpace(mark[1]); p.reason == "" {
			return errors.New("the mark says no reason: write <!-- not run: REASON -->")
		}
	}
	return nil
}

// begin begins a block, to which the mark in front of it belongs.
func (p *page) begin() {
	p.runs, p.reason, p.indented, p.shows = p.reason, "", false, false
}

func (p *page) unused() error {
	if p.reason != "" {
		return fmt.Errorf("the mark \"not run: %s\" is in front of no block", p.reason)
	}
	return nil
}

func (p *page) inFence(line string) {
	switch command, shown := strings.CutPrefix(line, "$ "); {
	case p.language == "sh":
		p.add(p.language, line)
	case p.language != "console" && p.language != "text":
	case shown:
		p.shows = true
		p.add(p.language, command)
	case p.goesOn:
		p.add(p.language, line)
	case p.shows:
		p.commands[len(p.commands)-1].Output += line + "\n"
	}
}

// add adds a line of a block, which begins a command or goes on with one.
func (p *page) add(block, line string) {
	if last := len(p.commands) - 1; p.goesOn {
		p.commands[last].Text += "\n" + line
	} else if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' {
		p.commands = append(p.commands, Command{Page: p.path, Line: p.line, Block: block, Text: line, NotRun: p.runs})
	}
	p.goesOn = strings.HasSuffix(line, `\`)
}

var (
	code = regexp.MustCompile("`[^`\n]+(\n[^`\n]+)?`")
	// programs are those whose commands a text may show.
	programs = regexp.MustCompile(`^([A-Z_]+=\S+ )*(auditctl|audit-reaper|curl|docker|git|go|kubectl|make|promtool|sh) \S`)
)

// inline returns the commands within the text.
func (p *page) inline() (commands []Command) {
	text := p.prose.String()
	for _, at := range code.FindAllStringIndex(text, -1) {
		command := strings.ReplaceAll(text[at[0]+1:at[1]-1], "\n", " ")
		command = strings.ReplaceAll(command, `\|`, "|") // as a table writes it
		if programs.MatchString(command) {
			line := 1 + strings.Count(text[:at[0]], "\n")
			commands = append(commands, Command{Page: p.path, Line: line, Block: Inline, Text: command})
		}
	}
	return commands
}
