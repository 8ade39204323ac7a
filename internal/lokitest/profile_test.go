package lokitest_test

import (
	"flag"
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/internal/lokitest"
)

var update = flag.Bool("update", false, "write testdata/overrides.yaml from the profiles")

// A real Loki reads the profiles from a file, which this test writes with -update.
func TestOverridesFileHasEveryProfile(t *testing.T) {
	const path = "testdata/overrides.yaml"
	text, err := yaml.Marshal(map[string]any{"overrides": lokitest.Overrides()})
	if err != nil {
		t.Fatal(err)
	}
	want := "# Made from the profiles of package lokitest: go test ./internal/lokitest -update\n" + string(text)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the profiles say: run go test ./internal/lokitest -update", path)
	}
}
