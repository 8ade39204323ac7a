package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// repository is a source tree under git.
type repository struct{ root string }

// git runs git in the root of the tree and returns what it wrote to its output.
func (r repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.root}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w: %s", args[0], r.root, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// tag makes all tags at the commit that is checked out, or none of them. A dry run makes none. It returns the commands
// that are left to be run.
func (r repository) tag(ctx context.Context, tags []string, dryRun bool) (left string, err error) {
	head, err := r.git(ctx, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return "", err
	}
	head = strings.TrimSpace(head)
	push := "git push --atomic origin " + strings.Join(tags, " ") + "\n"
	if dryRun {
		for _, tag := range tags {
			left += fmt.Sprintf("git tag -a -m %s %s %s\n", tag, tag, head)
		}
		return left + push, nil
	}
	for i, tag := range tags {
		if _, err := r.git(ctx, "tag", "-a", "-m", tag, tag, head); err != nil {
			return "", errors.Join(err, r.untag(ctx, tags[:i]))
		}
	}
	return fmt.Sprintf("%d tags are at %s. To publish them, after which they must never change:\n%s", len(tags), head, push), nil
}

// untag removes tags that were just made.
func (r repository) untag(ctx context.Context, tags []string) error {
	if len(tags) == 0 {
		return nil
	}
	_, err := r.git(ctx, append([]string{"tag", "-d"}, tags...)...)
	return err
}
