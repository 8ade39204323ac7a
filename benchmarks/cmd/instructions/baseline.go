package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// baseline is a file of counts: a line with the toolchain, and one for each path.
type baseline struct {
	toolchain string
	counts    []counted
}

type counted struct {
	path         string
	instructions int64 // of one event
}

func readBaseline(file string) (*baseline, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b := &baseline{}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if i == 0 {
			b.toolchain = line
			continue
		}
		var c counted
		if _, err := fmt.Sscanf(line, "%s %d", &c.path, &c.instructions); err != nil || c.instructions <= 0 {
			return nil, fmt.Errorf("%s: line %d is %q: want a path and its instructions", file, i+1, line)
		}
		b.counts = append(b.counts, c)
	}
	return b, nil
}

func (b *baseline) text() []byte {
	var out bytes.Buffer
	fmt.Fprintln(&out, b.toolchain)
	for _, c := range b.counts {
		fmt.Fprintln(&out, c.path, c.instructions)
	}
	return out.Bytes()
}

// of returns the count of a path; 0 for none.
func (b *baseline) of(path string) int64 {
	if b == nil {
		return 0
	}
	for _, c := range b.counts {
		if c.path == path {
			return c.instructions
		}
	}
	return 0
}

// report is a line for people.
func (c counted) report(known *baseline) string {
	line := fmt.Sprintf("%-8s %7d instructions an event", c.path, c.instructions)
	if before := known.of(c.path); before > 0 {
		line += fmt.Sprintf(", %+.1f%%", 100*(float64(c.instructions)/float64(before)-1))
	}
	return line
}

// alarm returns an error that names what has grown by more than the tolerance, and what one side lacks.
func (b *baseline) alarm(known *baseline) (err error) {
	for _, c := range b.counts {
		switch before := known.of(c.path); {
		case before == 0:
			err = errors.Join(err, fmt.Errorf("the path %s is not in the file: make bench-instructions-update writes it", c.path))
		case float64(c.instructions) > float64(before)*(1+tolerance):
			err = errors.Join(err, fmt.Errorf("the path %s takes %d instructions an event, and took %d: more than %.0f%% more", c.path, c.instructions, before, 100*tolerance))
		}
	}
	for _, c := range known.counts {
		if b.of(c.path) == 0 {
			err = errors.Join(err, fmt.Errorf("the path %s of the file is gone: make bench-instructions-update writes it anew", c.path))
		}
	}
	return err
}
