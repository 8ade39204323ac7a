package loki_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// switches answers every request with 101 Switching Protocols and sends nothing more,
// like a proxy that takes the request for a WebSocket request.
func switches(t *testing.T) string {
	return fake(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		testenv.SwitchesProtocols(t, w)
	})
}

// within fails the test when call has not returned after d.
func within(t *testing.T, d time.Duration, what string, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		t.Fatalf("%s has not returned after %s", what, d)
		return nil
	}
}

func TestSwitchingProtocolsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]loki.Options{
		"loki":         {},
		"no proof":     {ProveEvery: -1},
		"victorialogs": {Server: loki.ServerVictoriaLogs, Level: auditing.LevelAcknowledged, Timeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, err := loki.New(switches(t), opts)
			if err != nil {
				t.Fatal(err)
			}
			err = within(t, 5*time.Second, "Write", func() error { return sink.Write(t.Context(), event(namespace(), "x")) })
			contains(t, mustFail(t, err, auditing.ClassTransient).Error(), "101", "no answer to a request")
			if err := within(t, 5*time.Second, "Check", func() error { return sink.Check(t.Context()) }); err == nil {
				t.Error("Check passes")
			}
			if err := within(t, 5*time.Second, "Close", func() error { return sink.Close(t.Context()) }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckEndsWhenTheAnswerDoesNotEnd(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]loki.Server{"loki": loki.ServerLoki, "victorialogs": loki.ServerVictoriaLogs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := fake(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				for http.NewResponseController(w).Flush() == nil {
					_, _ = io.WriteString(w, "#")
					select {
					case <-r.Context().Done():
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			})
			sink := open(t, address, loki.Options{Server: server, Timeout: 200 * time.Millisecond})
			if err := within(t, 5*time.Second, "Check", func() error { return sink.Check(t.Context()) }); err == nil {
				t.Error("Check passes")
			}
		})
	}
}

// The token of oauth2 is fetched without the context of the write, so the sink has to bound
// the request itself.
func TestTokenServerThatNeverAnswersHoldsUpNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, tokens := range map[string]string{"silent": "http://" + silent.Addr().String(), "101": switches(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, err := loki.New("http://loki.invalid:3100", loki.Options{
				ProveEvery: -1, Timeout: 300 * time.Millisecond,
				HTTP: promconfig.HTTPClientConfig{OAuth2: &promconfig.OAuth2{ClientID: "a", ClientSecret: "b", TokenURL: tokens}},
			})
			if err != nil {
				t.Fatal(err)
			}
			err = within(t, 5*time.Second, "Write", func() error { return sink.Write(t.Context(), event(namespace(), "x")) })
			mustFail(t, err, auditing.ClassTransient)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := within(t, 5*time.Second, "Close", func() error { return sink.Close(ctx) }); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
}
