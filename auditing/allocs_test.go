//go:build !race

package auditing

import (
	"maps"
	"slices"
	"testing"
)

// maxAllocs is what a builder may allocate: the event with all that its spec points
// to, and two for the map of labels. What takes more is listed.
const maxAllocs = 3

var moreAllocs = map[string]float64{
	"NewBrokerCredsTampered":      4, // detail, the keys, and the reason that ends with them
	"NewBrokerUnavailable":        2, // detail
	"NewCAProjected":              2,
	"NewCredentialRenewalFailed":  2,
	"NewCredentialRenewed":        3, // detail, and the text of the expiry
	"NewEgressBlockSummary":       1, // samples
	"NewEvent":                    5, // detail and owner
	"NewInteractiveRunTerminated": 2,
	"NewPolicyApplied":            5,
	"NewPolicyRejected":           5,
	"NewPromptCompleted":          5, // detail, and the texts of its numbers
	"NewPromptSubmitted":          4,
	"NewShellSessionClosed":       4,
	"NewShellSessionOpened":       3, // detail, and the command as one line
}

func TestABuilderAllocatesNoMoreThanItsEvent(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(builders)) {
		build := builders[name].ordinary
		if got, want := testing.AllocsPerRun(100, func() { sinkEvent = build() }), maxAllocs+moreAllocs[name]; got > want {
			t.Errorf("%s makes %v allocations, want at most %v", name, got, want)
		}
	}
}
