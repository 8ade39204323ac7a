package trail_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paddock-dev/audit/internal/trail"
)

func TestSetsOfRangesAreThoseOfTheirIndices(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		var a, b trail.Ranges
		for range random.IntN(20) {
			a.Add(random.Int64N(30))
		}
		for range random.IntN(20) {
			b.Add(random.Int64N(30))
		}
		var or, and, minus trail.Ranges
		for i := range int64(32) {
			if a.Has(i) || b.Has(i) {
				or.Add(i)
			}
			if a.Has(i) && b.Has(i) {
				and.Add(i)
			}
			if a.Has(i) && !b.Has(i) {
				minus.Add(i)
			}
		}
		if got := a.Or(b); !slices.Equal(got, or) {
			t.Fatalf("%v or %v: %v", a, b, got)
		}
		if got := a.And(b); !slices.Equal(got, and) {
			t.Fatalf("%v and %v: %v", a, b, got)
		}
		if got := a.Minus(b); !slices.Equal(got, minus) {
			t.Fatalf("%v minus %v: %v", a, b, got)
		}
	}
}
