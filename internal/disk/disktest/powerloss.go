package disktest

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/paddock-dev/audit/internal/disk"
)

// powerLoss writes to dir what a power loss behind the operations may leave of root. That is
// all that was synced, any part of the bytes that were written since, with zeros in place of
// the others, and any of the names that were changed since. Of the changes of one name, the
// first few are left. In half of the states the same holds for the changes in a directory, as
// on a file system with a journal.
func powerLoss(random *rand.Rand, ops []operation, root, dir string) error {
	contents := contentsAfter(random, ops)
	var errs []error
	written := map[int]string{} // the first name of a file
	for path, file := range namesAfter(random, ops) {
		relative, err := filepath.Rel(root, path)
		path = filepath.Join(dir, relative)
		errs = append(errs, err, os.MkdirAll(filepath.Dir(path), 0o700))
		if first, ok := written[file]; ok {
			errs = append(errs, os.Link(first, path))
			continue
		}
		written[file] = path
		errs = append(errs, os.WriteFile(path, contents[file], disk.PrivateMode))
	}
	return errors.Join(errs...)
}

// contentsAfter returns what is left of each file.
func contentsAfter(random *rand.Rand, ops []operation) map[int][]byte {
	synced := map[int]int{} // up to which operation a file is durable
	for _, op := range ops {
		if op.kind == syncFile {
			synced[op.file] = op.before
		}
	}
	contents := map[int][]byte{}
	for i, op := range ops {
		durable := i < synced[op.file]
		switch {
		case op.kind == write:
			contents[op.file] = torn(random, contents[op.file], op, durable)
		case op.kind == truncate && (durable || random.IntN(2) == 0):
			contents[op.file] = resized(contents[op.file], op.at)
		}
	}
	return contents
}

// namesAfter returns the file of each name that is left.
func namesAfter(random *rand.Rand, ops []operation) map[string]int {
	synced := map[string]int{} // up to which operation a directory is durable
	for _, op := range ops {
		if op.kind == syncDir {
			synced[op.path] = op.before
		}
	}
	names := map[string]int{}
	lost := map[string]bool{} // names and directories of which no later change is left
	inOrder := random.IntN(2) == 0
	for i, op := range ops {
		var changed []string
		switch op.kind {
		case create, remove:
			changed = []string{op.path}
		case link:
			changed = []string{op.to}
		case rename:
			changed = []string{op.path, op.to}
		case write, truncate, syncFile, syncDir:
			continue
		}
		depends := slices.Clone(changed)
		durable := true
		for _, name := range changed {
			folder := filepath.Dir(name)
			durable = durable && i < synced[folder]
			if inOrder {
				depends = append(depends, folder)
			}
		}
		if !durable && (random.IntN(4) == 0 || slices.ContainsFunc(depends, func(name string) bool { return lost[name] })) {
			for _, name := range depends {
				lost[name] = true
			}
			continue
		}
		for _, name := range changed {
			delete(names, name)
		}
		if op.kind != remove {
			names[changed[len(changed)-1]] = op.file
		}
	}
	return names
}

// torn applies a write: all of it when it is durable, otherwise all, nothing, or some of its
// sectors or blocks.
func torn(random *rand.Rand, content []byte, op operation, durable bool) []byte {
	end := op.at + int64(len(op.data))
	fate := random.IntN(4)
	if durable || fate == 0 {
		content = resized(content, max(end, int64(len(content))))
		copy(content[op.at:], op.data)
		return content
	}
	if fate == 1 {
		return content
	}
	unit := int64(512)
	if fate == 2 {
		unit = 4096
	}
	for from := op.at; from < end; {
		to := min(end, (from/unit+1)*unit)
		if random.IntN(2) == 0 {
			content = resized(content, max(to, int64(len(content))))
			copy(content[from:to], op.data[from-op.at:to-op.at])
		}
		from = to
	}
	return content
}

func resized(content []byte, size int64) []byte {
	if int64(len(content)) >= size {
		return content[:size:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}
