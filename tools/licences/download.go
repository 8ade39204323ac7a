package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/mod/module"
)

// downloaded is where the module cache has a module, or why it does not.
type downloaded struct {
	dir string
	err error
}

// download brings the modules that the go.mod in dir requires into the module cache, after its replace lines, and
// tells where each is. Without arguments go mod download takes those of the require lines and no others, checks them
// against go.sum and leaves go.sum alone. It needs go 1.17 or later in the go.mod; an older one costs more downloads.
func download(ctx context.Context, dir string) (map[module.Version]downloaded, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, runErr := cmd.Output()

	found := map[module.Version]downloaded{}
	failed := false
	for decoder := json.NewDecoder(bytes.NewReader(stdout)); ; {
		var m struct{ Path, Version, Dir, Error string }
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the output of go mod download -json in %s: %w", dir, err)
		}
		d := downloaded{dir: m.Dir}
		if m.Error != "" {
			d.err = errors.New(m.Error)
			failed = true
		}
		found[module.Version{Path: m.Path, Version: m.Version}] = d
	}
	// A module that could not be had fails the command too. It has an error of its own already.
	if runErr != nil && !failed {
		return nil, fmt.Errorf("go mod download in %s: %w: %s", dir, runErr, strings.TrimSpace(stderr.String()))
	}
	return found, nil
}
