package flood

import (
	"hash/maphash"
	"sync"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// key is what events have in common that may be collapsed.
type key struct {
	component, namespace, run string
	kind                      v1alpha1.AuditKind
	decision                  v1alpha1.AuditDecision
}

func keyOf(e *driver.Event) key {
	return key{component: e.Component(), namespace: e.Namespace(), run: e.Run(), kind: e.Kind(), decision: e.Decision()}
}

// identity tells events apart: its first half stands for the name and the exact
// time, its second for the component and the JSON of what was decided. Labels and
// annotations are no part of it, for a writer may add some before it writes an event
// again. A seed of the process makes it unpredictable to whoever chooses the names.
type identity [2]uint64

var (
	identitySeed = maphash.MakeSeed()
	specs        = sync.Pool{New: func() any { return new([]byte) }}
)

func identityOf(e *driver.Event) identity {
	var name, content maphash.Hash
	name.SetSeed(identitySeed)
	writeText(&name, e.Namespace())
	writeText(&name, e.Name())
	maphash.WriteComparable(&name, e.Time().UnixNano())

	content.SetSeed(identitySeed)
	writeText(&content, e.Component())
	spec := specs.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	*spec = e.AppendSpec((*spec)[:0])
	_, _ = content.Write(*spec) // never fails
	specs.Put(spec)
	return identity{name.Sum64(), content.Sum64()}
}

// writeText writes a text so that it cannot be mistaken for a part of the next one.
func writeText(h *maphash.Hash, text string) {
	maphash.WriteComparable(h, len(text))
	_, _ = h.WriteString(text) // never fails
}
