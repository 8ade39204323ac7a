//go:build !race

package auditing

import (
	"maps"
	"slices"
	"testing"
)

// maxAllocs is what a builder may allocate: the event with what most of its
// references point to, and two for each map. What takes more is listed.
const maxAllocs = 3

var moreAllocs = map[string]float64{
	"NewBrokerCredsTampered":      3, // detail, and the text of reason and detail
	"NewBrokerUnavailable":        2, // detail
	"NewCAProjected":              2,
	"NewCredentialRenewalFailed":  2,
	"NewCredentialRenewed":        3, // detail, and the text of the expiry
	"NewEgressBlockSummary":       1, // samples
	"NewEvent":                    3, // detail and owner
	"NewInteractiveRunTerminated": 2,
	"NewPolicyApplied":            3,
	"NewPolicyRejected":           3,
	"NewPromptCompleted":          3, // detail, and the text of its numbers
	"NewPromptSubmitted":          3,
	"NewShellSessionClosed":       3,
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
