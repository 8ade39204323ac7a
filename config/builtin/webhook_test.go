package builtin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

func TestWebhookSinkSendsAsFileSays(t *testing.T) {
	t.Parallel()
	var header http.Header
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			text, _ := io.ReadAll(r.Body)
			header, body = r.Header, string(text)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	dir := t.TempDir()
	secrets, path := filepath.Join(dir, "secrets"), filepath.Join(dir, "audit.yaml")
	text := fmt.Sprintf(`apiVersion: audit.paddock.dev/v1alpha1
kind: AuditConfiguration
sinks:
  hook: {type: webhook, url: %q, level: acknowledged, mode: batch, source: //eu-1.example/audit, secrets_file: %q}
components:
  broker: {sink: hook, onFailure: closed}
`, server.URL, secrets)
	for name, text := range map[string]string{secrets: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", path: text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	sink := trail.For("broker")
	if got := auditing.LevelOf(sink); got != auditing.LevelAcknowledged {
		t.Errorf("level %s", got)
	}
	ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied})
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if media := header.Get("Content-Type"); !strings.HasPrefix(media, "application/cloudevents-batch+json") || header.Get("webhook-signature") == "" {
		t.Errorf("header %v", header)
	}
	if want := `"source":"//eu-1.example/audit/namespaces/team-a/components/broker"`; !strings.Contains(body, want) {
		t.Errorf("%s lacks %s", body, want)
	}
}
