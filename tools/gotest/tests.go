package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tests runs go test, and counts how often the tests of each package have ended.
type tests struct {
	suite

	ended map[string]int
}

// test tests packages of one module, and passes on what go test prints.
func (t *tests) test(ctx context.Context, dir string, pkgs, more []string) error {
	if len(pkgs) == 0 {
		return nil
	}
	r, w := io.Pipe()
	counted := make(chan error, 1)
	go func() {
		err := t.count(r, os.Stdout)
		counted <- err
		_ = r.CloseWithError(err) // go test gets it, rather than waiting for a reader
	}()
	args := append(append(append([]string{"test", "-json"}, t.flags...), more...), pkgs...)
	err := t.command(ctx, dir, w, "go", args...)
	_ = w.Close() // always nil
	if err != nil {
		err = fmt.Errorf("go test in %s: %w", dir, err)
	}
	return errors.Join(err, <-counted)
}

// count reads what go test -json prints, and passes it on by whole lines, between which others may write.
func (t *tests) count(r io.Reader, to io.Writer) error {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if _, err := to.Write(line); err != nil {
			return fmt.Errorf("pass on what go test prints: %w", err)
		}
		var event struct{ Action, Package, Test string }
		// The go command also prints lines that are not JSON. gotestsum shows them.
		if json.Unmarshal(line, &event) == nil && event.Test == "" {
			switch event.Action {
			case "pass", "fail", "skip": // a package without tests is skipped
				t.ended[event.Package]++
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what go test prints: %w", err)
		}
	}
}

// missed returns an error when a package was not tested exactly once.
func (t *tests) missed(mods []module) error {
	var wrong []string
	for _, m := range mods {
		for _, pkg := range m.all {
			if n := t.ended[pkg]; n != 1 {
				wrong = append(wrong, fmt.Sprintf("%s (%d times)", pkg, n))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("these packages were not tested exactly once: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// command runs a program in a folder. When ctx ends, the program and all that it has started are interrupted.
func (s suite) command(ctx context.Context, dir string, stdout io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(s.root, dir)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that they all can be reached
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 30 * time.Second
	return cmd.Run()
}
