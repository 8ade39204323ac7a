package eventjson

import (
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/texts"
)

// Bound shortens the texts of s and the groups of its actor to the bounds of the
// schema, and reports whether it did. It changes nothing, and so writes nowhere, when
// they are within them.
func Bound(s *v1alpha1.AuditEventSpec) (changed bool) {
	if a := s.Actor; a != nil && len(a.Groups) > v1alpha1.MaxActorGroups {
		more := len(a.Groups) - (v1alpha1.MaxActorGroups - 1)
		a.Groups = append(a.Groups[:v1alpha1.MaxActorGroups-1:v1alpha1.MaxActorGroups-1], fmt.Sprintf("…[%d more groups]", more))
		changed = true
	}
	for text, f := range Texts(s) {
		if limit := f.Limit(); !texts.Fits(*text, limit) {
			*text = texts.Shorten(*text, limit)
			changed = true
		}
	}
	return changed
}
