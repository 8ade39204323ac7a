//go:build loki

package compose_test

import (
	"os"
	"os/exec"
	"testing"
)

// It needs a real Loki, which make test-dashboard asks for.
func TestLokiTakesItsConfiguration(t *testing.T) {
	binary := os.Getenv("LOKI_BIN")
	if binary == "" {
		t.Fatal("LOKI_BIN must name a loki binary: nothing here builds one")
	}
	out, err := exec.CommandContext(t.Context(), binary, "-verify-config", "-config.file=loki.yaml").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
