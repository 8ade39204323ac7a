package trail

import (
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier stands for the first leaves of a tree: the hashes of the complete subtrees that
// they make up, the greatest first. It is all that is needed to go on with the tree. The
// zero value is an empty tree.
type Frontier struct {
	size   int64
	hashes []Hash
}

// NewFrontier returns the frontier of size leaves, whose hashes it keeps.
func NewFrontier(size int64, hashes []Hash) (Frontier, error) {
	if size < 0 || len(hashes) != bits.OnesCount64(uint64(size)) {
		return Frontier{}, errors.New("the number of subtrees is not that of the tree's size")
	}
	return Frontier{size, hashes}, nil
}

// Size returns the number of leaves.
func (f *Frontier) Size() int64 { return f.size }

// Hashes returns the hashes of the subtrees. They belong to f.
func (f *Frontier) Hashes() []Hash { return f.hashes }

// Clone returns a copy that shares nothing with f.
func (f *Frontier) Clone() Frontier {
	return Frontier{f.size, append([]Hash(nil), f.hashes...)}
}

// Add adds the next leaf.
func (f *Frontier) Add(leaf Hash) {
	for full := f.size; full&1 == 1; full >>= 1 {
		last := len(f.hashes) - 1
		leaf = tlog.NodeHash(f.hashes[last], leaf)
		f.hashes = f.hashes[:last]
	}
	f.hashes = append(f.hashes, leaf)
	f.size++
}

// Root returns the hash of the whole tree, as RFC 6962 defines it.
func (f *Frontier) Root() Hash {
	last := len(f.hashes) - 1
	if last < 0 {
		root, _ := tlog.TreeHash(0, nil) // of no leaves, which are not asked for
		return root
	}
	root := f.hashes[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(f.hashes[i], root)
	}
	return root
}
