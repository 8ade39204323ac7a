package seal

import (
	"encoding/binary"

	"github.com/paddock-dev/audit/internal/trail"
)

// outcome is what the last attempt to store an event came to.
type outcome uint64

const (
	underWay outcome = iota
	stored
	failed
	unclear // it may be stored
)

// marks has 8 bytes for every leaf of a trail: the beginning of its hash, by which an event
// that is written again is known to be unchanged, and its outcome.
type marks struct {
	chunks []*[chunk]uint64
	size   int64
}

const (
	chunk       = 4096
	outcomeBits = 3
)

func (m *marks) add(leaf trail.Hash) int64 {
	if m.size%chunk == 0 {
		m.chunks = append(m.chunks, new([chunk]uint64))
	}
	index := m.size
	m.size++
	*m.at(index) = mark(leaf)
	return index
}

func mark(leaf trail.Hash) uint64 { return binary.BigEndian.Uint64(leaf[:]) &^ outcomeBits }

func (m *marks) at(index int64) *uint64 { return &m.chunks[index/chunk][index%chunk] }

// is reports whether the leaf is that of the index.
func (m *marks) is(index int64, leaf trail.Hash) bool { return *m.at(index)&^outcomeBits == mark(leaf) }

func (m *marks) outcome(index int64) outcome { return outcome(*m.at(index) & outcomeBits) }

func (m *marks) set(index int64, to outcome) {
	at := m.at(index)
	*at = *at&^outcomeBits | uint64(to)
}

// put gives an index that has none a leaf.
func (m *marks) put(index int64, leaf trail.Hash) { *m.at(index) = mark(leaf) }
