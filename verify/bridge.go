package verify

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/paddock-dev/audit/internal/trail"
)

// bridge looks at the leaves between a tree, end, and a checkpoint that does not carry them: c has
// the hashes of their subtrees. Events that are there prove a subtree when they have all of its
// leaves. It reports false when the two exclude each other.
func (v *Verifier) bridge(t *log, end *trail.Frontier, c *checkpoint) bool {
	start := int64(0)
	for i, hash := range c.Before.Hashes() {
		size := subtree(c.Before.Size(), i)
		from, to := start, start+size
		start = to
		if to <= end.Size() { // it is one of end as well
			if end.Hashes()[i] != hash {
				return false
			}
			continue
		}
		begin, first := partOf(end, from)
		leaves, ok := t.seen(first, to)
		if !ok {
			continue
		}
		for _, leaf := range leaves {
			begin.Add(leaf)
		}
		if begin.Root() != hash {
			v.found(ofRange(t, first, to, CodeEdited, LevelTampered, "of these events at least one is not what was sealed: together they do not make up what the checkpoint is signed over"))
			continue
		}
		t.known = append(t.known, segment{from: first, leaves: leaves})
	}
	return true
}

// subtree returns the size of the subtree number i of a tree.
func subtree(size int64, i int) int64 {
	for range i {
		size &^= 1 << (bits.Len64(uint64(size)) - 1)
	}
	return 1 << (bits.Len64(uint64(size)) - 1)
}

// partOf returns the part of a tree that lies in a subtree beginning at from, and the index behind it.
func partOf(end *trail.Frontier, from int64) (part trail.Frontier, first int64) {
	if end.Size() <= from {
		return trail.Frontier{}, from
	}
	at := int64(0)
	for i := range end.Hashes() {
		if at == from {
			part, _ = trail.NewFrontier(end.Size()-from, slices.Clone(end.Hashes()[i:])) // as many as the size has
			break
		}
		at += subtree(end.Size(), i)
	}
	return part, end.Size()
}

// seen returns the leaves of the events that are there, if there is exactly one for each index.
func (t *log) seen(from, to int64) (leaves []trail.Hash, ok bool) {
	i, _ := slices.BinarySearchFunc(t.sightings, from, func(s sighting, from int64) int { return cmp.Compare(s.index, from) })
	for ; i < len(t.sightings) && t.sightings[i].index < to; i++ {
		s := &t.sightings[i]
		switch n := int64(len(leaves)); {
		case s.index == from+n:
			leaves = append(leaves, s.leaf)
		case s.index > from+n || leaves[n-1] != s.leaf:
			return nil, false
		}
	}
	return leaves, int64(len(leaves)) == to-from
}
