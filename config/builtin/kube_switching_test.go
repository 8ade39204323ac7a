package builtin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestKubeCheckSaysThatServerSwitchesProtocols(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		testenv.SwitchesProtocols(t, w)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: %q}}], `+
		`contexts: [{name: a, context: {cluster: a}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, err := (&kubeSection{apiServer: apiServer{Kubeconfig: file}}).Open(t.Context(), config.Opening{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	checker, ok := sink.(interface{ Check(context.Context) error })
	if !ok {
		t.Fatal("the sink has no Check")
	}
	if err := checker.Check(ctx); err == nil || !strings.Contains(err.Error(), "101 Switching Protocols") {
		t.Errorf("Check returned %v", err)
	}
}
