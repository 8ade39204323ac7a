package main

import (
	"strings"
	"testing"

	"github.com/paddock-dev/audit/verify"
)

func TestVerdictSaysHowManyAreRetired(t *testing.T) {
	var out strings.Builder
	r := &verify.Report{Verdict: verify.Intact, Retired: 7, Trails: []verify.Trail{{ID: "x", Retired: 3}}}
	if err := printVerdict(&environment{out: &out}, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  3 were deleted by a reaper when their time was over\n", "verdict: intact; 7 retired\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
