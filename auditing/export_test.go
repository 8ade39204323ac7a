package auditing

import (
	"maps"
	"slices"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// What the tests of package auditing_test, which may import package driver, need of
// the tests of this package.
var (
	FillInput    = fillInput
	Indented     = indented
	QuoteCommand = quoteCommand
	Stored       = stored
)

// BuilderNames returns the names of all builders, in order.
func BuilderNames() []string { return slices.Sorted(maps.Keys(builders)) }

// Build builds an event with the builder of that name from an input that fill fills.
func Build(name string, fill func(in any)) (in any, ae *v1alpha1.AuditEvent) {
	return builders[name].filled(fill)
}
