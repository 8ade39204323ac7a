package builtin_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
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

// inFile returns a configuration with these sinks, of which a component writes to the one
// named a.
func inFile(sinks, onFailure string) []byte {
	return fmt.Appendf(nil, "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\nsinks:\n%scomponents:\n  broker: {sink: a, onFailure: %s}\n", sinks, onFailure)
}

func TestSpoolBeforeAcceptedIsWarnedOf(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"{type: otlp, url: 'http://collector:4318'}":                                    "otlp",
		"{type: retry, next: c}\n  c: {type: otlp, url: 'http://collector:4318'}":       "retry(otlp)",
		"{type: loki, server: victorialogs, url: 'http://v:9428'}":                      "loki",
		"{type: otlp, url: 'http://collector:4318', level: durable}":                    "",
		"{type: otlp, url: 'http://collector:4318', level: acknowledged}":               "",
		"{type: loki, url: 'http://loki:3100'}":                                         "",
		"{type: loki, server: victorialogs, level: acknowledged, url: 'http://v:9428'}": "",
	} {
		f, err := config.Parse("audit.yaml", inFile("  a: {type: spool, next: b, dir: d}\n  b: "+next+"\n", "closed"), builtin.Types())
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(f.Warnings())
		if want == "" && len(f.Warnings()) > 0 || want != "" &&
			!strings.Contains(got, "audit.yaml:4: sinks.a: forgets an event as soon as "+want+" is done with it, at level accepted only") {
			t.Errorf("%s: %s", next, got)
		}
	}
}

func TestAcceptedOTLPFailsClosedIsRefused(t *testing.T) {
	t.Parallel()
	for level, refused := range map[string]bool{"accepted": true, "durable": false, "acknowledged": false} {
		_, err := config.Parse("audit.yaml", inFile("  a: {type: otlp, url: 'http://collector:4318', level: "+level+"}\n", "closed"), builtin.Types())
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "otlp is only at level accepted") {
			t.Errorf("%s: %v", level, err)
		}
	}
}

func TestOTLPSinkOfFileWritesAndLogsWarnings(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"partialSuccess":{"errorMessage":"this version is old"}}`))
	}))
	t.Cleanup(receiver.Close)
	path := filepath.Join(t.TempDir(), "audit.yaml")
	if err := os.WriteFile(path, inFile("  a: {type: otlp, url: '"+receiver.URL+"', level: acknowledged}\n", "closed"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	trail, err := config.Open(t.Context(), path, builtin.Types(), config.Deps{Static: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	sink := trail.For("broker")
	if got := auditing.LevelOf(sink); got != auditing.LevelAcknowledged {
		t.Errorf("level %s, want acknowledged", got)
	}
	ae := auditing.NewEvent(auditing.EventInput{Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied})
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Error(err)
	}
	if err := trail.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), `sink=a warning="this version is old"`); n != 1 {
		t.Errorf("the log has %d warnings, want 1:\n%s", n, &log)
	}
}
