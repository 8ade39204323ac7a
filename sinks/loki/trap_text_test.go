package loki_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/sinks/loki"
)

func TestServersControlCharactersAreEscaped(t *testing.T) {
	t.Parallel()
	const hostile = "a\x1b[2Jb\rc\nd\x7fe\u202ef\u0085g"
	for name, status := range map[string]int{"not ready": 503, "no push": 400, "success": 200} {
		for _, server := range []loki.Server{loki.ServerLoki, loki.ServerVictoriaLogs} {
			address := fake(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, hostile)
			})
			sink := open(t, address, loki.Options{ProveEvery: -1, Server: server})
			err := errors.Join(sink.Check(shortly(t)), sink.Write(shortly(t), event(namespace(), "x")))
			if err == nil {
				t.Fatalf("%s: Check passes", name)
			}
			lacks(t, strings.ReplaceAll(err.Error(), "\naudit write failed", ""), "\x1b", "\r", "\n", "\x7f", "\u202e", "\u0085")
		}
	}
}
