// Package paths finds out which file a path stands for.
package paths

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLinks is how many links in a row Resolve follows, as Linux does.
const maxLinks = 40

// Resolve returns the absolute path, without symbolic links, of the file at path. The
// file, and directories above it, may be missing: then the result is where they would be
// created. When a directory cannot be read, the result is the absolute path with the links
// that could be resolved.
func Resolve(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	for range maxLinks {
		resolved, err := filepath.EvalSymlinks(path)
		if err == nil {
			return resolved
		}
		if _, exists := os.Stat(path); exists == nil {
			return path // such as /proc/self/fd/1 of a file without a name
		}
		target, err := os.Readlink(path)
		switch {
		case err == nil && filepath.IsAbs(target):
			path = target
			continue
		case err == nil: // a link is relative to where it really is
			path = filepath.Join(parent(path), target)
			continue
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path:
			return filepath.Join(parent(path), filepath.Base(path))
		}
		return path
	}
	return path
}

func parent(path string) string { return Resolve(filepath.Dir(path)) }
