package flood

import (
	"hash/maphash"
	"math/bits"

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
// time, its second for the component and the rest of what was decided. Labels and
// annotations are no part of it, for a writer may add some before it writes an event
// again. A seed of the process makes it unknown to whoever chooses the names.
//
// Hashing the event's JSON would need no list of fields, and takes half as long as all
// the rest of a write.
type identity [2]uint64

var identitySeed = maphash.MakeSeed()

func identityOf(e *driver.Event) identity {
	name := step(mix(mix(0, e.Namespace()), e.Name()), uint64(e.Time().UnixNano()))

	s := e.Spec()
	content := mix(mix(mix(mix(0, e.Component()), string(s.Kind)), string(s.Decision)), s.Reason)
	content = step(content, uint64(s.Count))
	// A number tells what may be missing apart.
	if s.RunRef != nil {
		content = mix(step(content, 1), s.RunRef.Name)
	}
	if s.MatchedPolicy != nil {
		content = mix(step(content, 2), s.MatchedPolicy.Name)
	}
	if c := s.Credential; c != nil {
		content = mix(mix(mix(step(content, 3), c.Name), c.Provider), c.Purpose)
	}
	if d := s.Destination; d != nil {
		content = mixDestination(step(content, 4), d)
	}
	for i := range s.SampleDestinations {
		content = mixDestination(step(content, 5), &s.SampleDestinations[i])
	}
	if s.WindowStart != nil {
		content = step(step(content, 6), uint64(s.WindowStart.Unix()))
	}
	if s.WindowEnd != nil {
		content = step(step(content, 7), uint64(s.WindowEnd.Unix()))
	}
	for key, value := range e.Detail() {
		content = mix(mix(step(content, 8), key), value)
	}
	return identity{name, content}
}

func mixDestination(h uint64, d *v1alpha1.AuditDestination) uint64 {
	return step(mix(h, d.Host), uint64(d.Port))
}

// mix and step make one hash of several, in their order.
func mix(h uint64, text string) uint64 { return step(h, maphash.String(identitySeed, text)) }

func step(h, value uint64) uint64 {
	hi, lo := bits.Mul64(h^value, 0x9e3779b97f4a7c15) // 2^64 divided by the golden ratio
	return hi ^ lo ^ bits.RotateLeft64(h, 23)
}
