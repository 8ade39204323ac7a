package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/reading"
)

const (
	// operandsOfFiles is what the usage calls the arguments that name files.
	operandsOfFiles = "FILE..."
	stdin           = "-"
)

// sources makes the sources that a command reads. Nothing else makes any.
type sources struct {
	env *environment
	cmd *cobra.Command
}

func addSources(env *environment, cmd *cobra.Command) *sources {
	return &sources{env, cmd}
}

// open returns the sources of a command whose arguments are files, which are one source.
func (s *sources) open(paths []string) ([]reading.Source, error) {
	if len(paths) == 0 {
		return nil, misuse(s.cmd, errors.New("no source: name the files to read, or - for standard input"))
	}
	if err := s.once(paths); err != nil {
		return nil, err
	}
	return []reading.Source{reading.FilesWithInput("files", s.env.in, paths...)}, nil
}

// each returns a source for each of the arguments.
func (s *sources) each(paths []string) ([]reading.Source, error) {
	if err := s.once(paths); err != nil {
		return nil, err
	}
	all := make([]reading.Source, len(paths))
	for i, path := range paths {
		all[i] = reading.FilesWithInput(path, s.env.in, path)
	}
	return all, nil
}

// once returns an error when an argument occurs twice.
func (s *sources) once(paths []string) error {
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			return misuse(s.cmd, fmt.Errorf("%s is named twice", path))
		}
	}
	return nil
}

// followers returns the sources as those that can be followed.
func followers(all []reading.Source) ([]reading.Follower, error) {
	list := make([]reading.Follower, len(all))
	for i, s := range all {
		f, ok := s.(reading.Follower)
		if !ok {
			return nil, fmt.Errorf("the source %s cannot be followed", s.Name())
		}
		list[i] = f
	}
	return list, nil
}
