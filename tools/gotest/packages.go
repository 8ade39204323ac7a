package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// starter is how the package ends with which tests start servers. Whoever links it may start one.
const starter = "/internal/testenv"

// module has the packages of a module.
type module struct {
	dir     string   // relative to the root
	all     []string // by go list ./...
	plain   []string // those that start no server
	servers []string // those that may start one
}

// list finds the packages of a module, and which of them may start servers.
func (s suite) list(ctx context.Context, dir string) (module, error) {
	m := module{dir: dir}
	all, err := s.goList(ctx, dir, "./...")
	if err != nil {
		return m, err
	}
	m.all = all
	linked, err := s.goList(ctx, dir, "-test", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	if err != nil {
		return m, err
	}
	for _, line := range linked {
		deps := strings.Fields(line)
		pkg, isTest := strings.CutSuffix(deps[0], ".test")
		// A test links a package as it is, or as it is built for that test: "path [path.test]".
		if isTest && slices.ContainsFunc(deps, func(dep string) bool { return strings.HasSuffix(dep, starter) }) {
			m.servers = append(m.servers, pkg)
		}
	}
	m.plain = slices.DeleteFunc(slices.Clone(all), func(pkg string) bool { return slices.Contains(m.servers, pkg) })
	return m, nil
}

// goList returns the lines that go list prints.
func (s suite) goList(ctx context.Context, dir string, args ...string) ([]string, error) {
	var out bytes.Buffer
	if err := s.command(ctx, dir, &out, "go", append([]string{"list"}, args...)...); err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", dir, err)
	}
	return strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' }), nil
}
