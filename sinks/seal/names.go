package seal

import (
	"hash/maphash"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
)

// sealedName is what is kept of the seal of a name.
type sealedName struct {
	index int64
	salt  trail.Salt
}

func (n sealedName) seal(l *life) string {
	return trail.Seal{Trail: l.id, Index: n.index, Salt: n.salt}.String()
}

// recent is how many names are kept at least, and half of how many are kept at most.
const recent = 8192

// recentNames has the seals of the latest names, by their hash. Its maps are used again: to grow them costs more than all else here.
type recentNames struct{ young, old map[uint64]sealedName }

func (r *recentNames) get(name uint64) (sealedName, bool) {
	known, ok := r.young[name]
	if !ok {
		known, ok = r.old[name]
	}
	return known, ok
}

func (r *recentNames) put(name uint64, known sealedName) {
	if len(r.young) == recent {
		r.young, r.old = r.old, r.young
		clear(r.young)
	}
	if r.young == nil {
		r.young = make(map[uint64]sealedName)
	}
	r.young[name] = known
}

var seed = maphash.MakeSeed()

// hashOf returns the hash of the event's namespace and name.
func hashOf(e *driver.Event) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(e.Namespace())
	_ = h.WriteByte('/')
	_, _ = h.WriteString(e.Name())
	return h.Sum64()
}
