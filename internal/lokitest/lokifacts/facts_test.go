package lokifacts_test

import (
	"context"
	"os"
	"testing"

	"github.com/paddock-dev/audit/internal/lokitest"
	"github.com/paddock-dev/audit/internal/lokitest/lokifacts"
	"github.com/paddock-dev/audit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// servers are Lokis by the name of their profile. They end with the test of shared.
type servers struct {
	shared *testing.T
	start  func(t *testing.T, p lokitest.Profile) lokifacts.Server
	all    map[string]lokifacts.Server
}

// of returns the server for a fact. Facts with the same profile share a server, unless a fact needs its own.
func (s *servers) of(t *testing.T, f lokifacts.Fact) lokifacts.Server {
	t.Helper()
	if f.Alone || f.OwnProcess {
		return s.start(t, f.Profile)
	}
	if _, ok := s.all[f.Profile.Name]; !ok {
		s.all[f.Profile.Name] = s.start(s.shared, f.Profile)
	}
	return s.all[f.Profile.Name]
}

// TestFacts checks every fact with the Loki that testenv starts: the stand-in as a process, or in make test-loki a real
// Loki.
func TestFacts(t *testing.T) {
	s := &servers{shared: t, all: map[string]lokifacts.Server{}, start: func(t *testing.T, p lokitest.Profile) lokifacts.Server {
		l := testenv.NewLoki(t, testenv.ProfileOptions(p))
		return lokifacts.Server{URL: l.URL, Restart: func(ctx context.Context) error {
			if err := l.Kill(); err != nil {
				return err
			}
			return l.Restart(ctx)
		}}
	}}
	for _, f := range lokifacts.All() {
		t.Run(f.Name, func(t *testing.T) {
			if f.OwnProcess {
				testenv.NeedsOwnLoki(t)
			}
			if err := f.Ask(t.Context(), s.of(t, f)); err != nil {
				t.Error("this Loki differs:", err)
			}
		})
	}
}

// TestFactsInProcess checks every fact with the stand-in as an http.Handler. A restart closes and opens it.
func TestFactsInProcess(t *testing.T) {
	s := &servers{shared: t, all: map[string]lokifacts.Server{}, start: func(t *testing.T, p lokitest.Profile) lokifacts.Server {
		return serve(t, p, wrong{})
	}}
	for _, f := range lokifacts.All() {
		t.Run(f.Name, func(t *testing.T) {
			if err := f.Ask(t.Context(), s.of(t, f)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryFactHasAUniqueNameAndASource(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range lokifacts.All() {
		if seen[f.Name] || f.Name == "" {
			t.Errorf("%q is there twice, or is no name", f.Name)
		}
		seen[f.Name] = true
		if f.Source != lokifacts.Recorded && f.Source != lokifacts.Documented && f.Source != lokifacts.Derived {
			t.Errorf("%q has the source %q", f.Name, f.Source)
		}
	}
}
