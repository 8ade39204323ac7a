package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// environment is what the command knows of its process. Tests make their own.
type environment struct {
	in          io.Reader
	out, errOut io.Writer
	// name by which the command was called.
	name string
	// terminal says that out is one, and width is that of its lines; 0 when unknown.
	terminal bool
	width    int
	getenv   func(string) string
	now      func() time.Time
	local    *time.Location
	// cutOff is the exit code when a signal ends the command before it has ended itself.
	cutOff atomic.Int32
}

// process returns the environment of this process.
func process() *environment {
	env := &environment{
		in: os.Stdin, out: os.Stdout, errOut: os.Stderr, getenv: os.Getenv, now: time.Now, local: time.Local,
		name: strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"),
	}
	env.cutOff.Store(wrong)
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		env.terminal = true
		if width, _, err := term.GetSize(fd); err == nil {
			env.width = width
		}
	}
	return env
}
