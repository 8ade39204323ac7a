package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/testenv"
)

func TestTheDemoShowsWhatEachDestinationRecorded(t *testing.T) {
	for name := range demoDestinations {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := demo(t.Context(), &out, options{sink: name}); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"DENIED    egress-block  169.254.169.254:80", "granted   egress-allow  127.0.0.1:", "502 Bad Gateway"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in:\n%s", want, out.String())
				}
			}
		})
	}
	if err := demo(t.Context(), io.Discard, options{sink: "paper"}); err == nil || !strings.Contains(err.Error(), "kube, log") {
		t.Errorf("an unknown sink: %v, want the known ones", err)
	}
}

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }
