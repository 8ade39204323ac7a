package canonical_test

import (
	"slices"
	"testing"

	"github.com/paddock-dev/audit/internal/canonical"
)

func TestNothingIsAllocated(t *testing.T) {
	e, dst := sample(), slices.Grow([]byte(nil), 1<<12)
	if n := testing.AllocsPerRun(100, func() { dst = canonical.Append(dst[:0], e) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
