package auditctrl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	annotationKey = "audit-event"
	maxNames      = 16   // in one annotation
	maxNamesBytes = 4096 // of them, what says how many more there are left out
)

// names are those of the events that one request has stored. The zero value is ready.
type names struct {
	mu    sync.Mutex
	kept  []string
	bytes int
	more  int // stored and not kept
}

// add is an OnStored of auditing.Facts. An event that is written twice is named once.
func (n *names) add(ae *v1alpha1.AuditEvent) {
	name := ae.Name
	if ae.Namespace != "" {
		name = ae.Namespace + "/" + ae.Name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case slices.Contains(n.kept, name):
	case len(n.kept) == maxNames, n.bytes+len(name) > maxNamesBytes:
		n.more++
	default:
		n.kept = append(n.kept, name)
		n.bytes += len(name) + len(",")
	}
}

// annotate leaves the map of resp alone: a handler may share one between its responses.
func (n *names) annotate(resp *admission.Response) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value := slices.Clip(n.kept)
	if n.more > 0 {
		value = append(value, fmt.Sprintf("…[%d more events]", n.more))
	}
	if _, taken := resp.AuditAnnotations[annotationKey]; taken || len(value) == 0 {
		return
	}
	annotations := maps.Clone(resp.AuditAnnotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationKey] = strings.Join(value, ",")
	resp.AuditAnnotations = annotations
}
