package metrics

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// MaxKinds bounds the kinds that can be registered.
const MaxKinds = 100

var kinds struct {
	mu         sync.Mutex
	registered atomic.Pointer[map[v1alpha1.AuditKind]struct{}] // never changed, but replaced
}

// RegisterKinds makes events of these kinds count under their own names. When one of them
// is invalid, it registers none.
func RegisterKinds(more ...v1alpha1.AuditKind) error {
	kinds.mu.Lock()
	defer kinds.mu.Unlock()
	all := map[v1alpha1.AuditKind]struct{}{}
	if held := kinds.registered.Load(); held != nil {
		maps.Copy(all, *held)
	}
	var errs []error
	for _, kind := range more {
		if kind.Known() {
			continue
		}
		if kind == Other {
			errs = append(errs, fmt.Errorf("kind %q: kinds without a name count under this one", kind))
		}
		if wrong := validation.IsDNS1123Label(string(kind)); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf("kind %.70q: %s", kind, strings.Join(wrong, "; ")))
		}
		all[kind] = struct{}{}
	}
	if len(all) > MaxKinds {
		errs = append(errs, fmt.Errorf("%d kinds, at most %d: each is several series for every component", len(all), MaxKinds))
	}
	if len(errs) > 0 {
		return fmt.Errorf("registering kinds of audit events: %w", errors.Join(errs...))
	}
	kinds.registered.Store(&all)
	return nil
}

func kindLabel(kind v1alpha1.AuditKind) string {
	if kind.Known() {
		return string(kind)
	}
	if held := kinds.registered.Load(); held != nil {
		if _, ok := (*held)[kind]; ok {
			return string(kind)
		}
	}
	return Other
}
