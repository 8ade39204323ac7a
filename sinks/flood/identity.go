package flood

import (
	"hash/maphash"
	"math/bits"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// key is what events have in common that may be collapsed.
type key struct {
	component, namespace, run string
	kind                      v1alpha1.AuditKind
	decision                  v1alpha1.AuditDecision
}

func keyOf(ae *v1alpha1.AuditEvent) key {
	k := key{
		component: ae.Labels[v1alpha1.LabelComponent], namespace: ae.Namespace,
		kind: ae.Spec.Kind, decision: ae.Spec.Decision,
	}
	if ae.Spec.RunRef != nil {
		k.run = ae.Spec.RunRef.Name
	}
	return k
}

// identity tells events apart: its first half stands for the name and the exact
// time, its second for the rest of what was decided. A seed of the process makes
// it unknown to whoever chooses the names.
type identity [2]uint64

var identitySeed = maphash.MakeSeed()

func identityOf(ae *v1alpha1.AuditEvent) identity {
	s := &ae.Spec
	name := mix(mix(0, ae.Namespace), ae.Name)
	name = step(name, uint64(auditing.EventTime(ae).UnixNano()))
	content := mix(mix(mix(1, string(s.Kind)), string(s.Decision)), s.Reason)
	content = step(content, uint64(s.Count))
	if s.RunRef != nil {
		content = mix(content, s.RunRef.Name)
	}
	if s.Destination != nil {
		content = step(mix(content, s.Destination.Host), uint64(s.Destination.Port))
	}
	if s.MatchedPolicy != nil {
		content = mix(content, s.MatchedPolicy.Name)
	}
	if s.Credential != nil {
		content = mix(content, s.Credential.Name)
	}
	return identity{name, content}
}

// mix and step make one hash of several, in their order.
func mix(h uint64, text string) uint64 { return step(h, maphash.String(identitySeed, text)) }

func step(h, value uint64) uint64 {
	hi, lo := bits.Mul64(h^value, 0x9e3779b97f4a7c15) // 2^64 divided by the golden ratio
	return hi ^ lo ^ bits.RotateLeft64(h, 23)
}
