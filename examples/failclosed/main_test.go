package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/config/builtin"
)

// slow is a type of sink that hangs or fails when it is told to, and otherwise
// claims to confirm.
type slow struct{ *sinktest.Recorder }

func (s slow) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "slow", Level: auditing.LevelAcknowledged}
}
func (s slow) Level() auditing.Level { return auditing.LevelAcknowledged }
func (s slow) Open(context.Context, config.Opening) (auditing.Sink, error) {
	return s, nil
}

// brokerOver is the handler with the example's own component over a recorder.
func brokerOver(t *testing.T, r *sinktest.Recorder) http.Handler {
	t.Helper()
	data, err := os.ReadFile("audit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "{type: log, path: audit.log, fsync: true}", "{type: slow}", 1)
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	types := builtin.Types()
	if err := types.Add(config.Type{Name: "slow", New: func() config.Section { return &slow{r} }}); err != nil {
		t.Fatal(err)
	}
	trail, err := config.Open(t.Context(), path, types, config.Deps{Static: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := trail.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return handler(trail.For(component))
}

func post(ctx context.Context, h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/credential?namespace=team-a&run=hr-1", http.NoBody))
	return w
}

func TestACredentialIsIssuedWhenItsEventIsSafe(t *testing.T) {
	var trail sinktest.Recorder
	w := post(t.Context(), brokerOver(t, &trail))
	if w.Code != http.StatusOK || w.Body.Len() < 20 || len(trail.Events()) != 1 {
		t.Errorf("answer %d %q, %d events", w.Code, w.Body, len(trail.Events()))
	}
}

func TestNoCredentialIsIssuedWhenTheTrailFails(t *testing.T) {
	var trail sinktest.Recorder
	trail.FailWith(errors.New("the destination is down"))
	w := post(t.Context(), brokerOver(t, &trail))
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != "audit trail unavailable\n" {
		t.Errorf("answer %d %q, want 503 and nothing else", w.Code, w.Body)
	}
}

func TestARequestThatIsCancelledStillLeavesItsEvent(t *testing.T) {
	var trail sinktest.Recorder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := post(ctx, brokerOver(t, &trail))
	if w.Code != http.StatusOK || len(trail.Events()) != 1 {
		t.Errorf("answer %d, %d events", w.Code, len(trail.Events()))
	}
}

func TestNothingIsServedWithoutAConfiguration(t *testing.T) {
	t.Setenv(config.Environment, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "", "127.0.0.1:0"); err == nil {
		t.Error("it serves although nothing says where its record goes")
	}
}

func TestNothingIsServedWhereTheBrokerFailsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.yaml")
	text := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n" +
		"sinks: {console: {type: log, path: stderr}}\ncomponents: {broker: {sink: console, onFailure: {granted: open, denied: open, warned: open}}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, path, "127.0.0.1:0"); err == nil {
		t.Error("it serves although its file lets it go on without a record")
	}
}

func TestOnlyAPostOnItsPathIssuesACredential(t *testing.T) {
	var trail sinktest.Recorder
	h := brokerOver(t, &trail)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/credential"}, {http.MethodHead, "/credential"}, {http.MethodPost, "/"}, {http.MethodGet, "/favicon.ico"}, {http.MethodPost, "/credential/x"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path+"?namespace=team-a&run=hr-1", http.NoBody))
		if w.Code == http.StatusOK || len(trail.Events()) > 0 {
			t.Errorf("%s %s: answer %d, %d events", c.method, c.path, w.Code, len(trail.Events()))
		}
		trail.Reset()
	}
}

func TestTheExamplesFileWritesToAFile(t *testing.T) {
	file, err := filepath.Abs("audit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, file, "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("audit.log"); err != nil {
		t.Error(err)
	}
}
