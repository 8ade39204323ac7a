package seal_test

import (
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

// certified writes to a sealed sink as life does, closes it, and returns the trails that it
// left. Each checkpoint has to have a certificate for its time.
func certified(t *testing.T, live func(s *seal.Sink, next *checkpointsFail)) (trails map[string]*proven) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "prod/proxy")
	must(t, err)
	root, err := note.NewVerifier(public)
	must(t, err)
	authority, err := seal.LongTermKey(private)
	must(t, err)
	next := &checkpointsFail{Recorder: &sinktest.Recorder{}}
	s, err := seal.New(next, seal.Options{Component: "proxy", Authority: authority})
	must(t, err)
	live(s, next)
	must(t, s.Close(within(t, time.Minute)))
	events := next.Events()
	for i := range events {
		if !trail.IsCheckpoint(events[i].Spec.Kind) {
			continue
		}
		c, err := trail.ParseCheckpoint(events[i].Spec.Detail)
		must(t, err)
		certificate, _, err := trail.OpenCertificate(c.Certificate, note.VerifierList(root))
		must(t, err)
		if at := auditing.EventTime(&events[i]); at.Before(certificate.NotBefore) || at.After(certificate.NotAfter) {
			t.Errorf("a checkpoint of %v has a certificate from %v to %v", at, certificate.NotBefore, certificate.NotAfter)
		}
	}
	return prove(t, events)
}

func TestTrailWithoutEventsEndsInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trails := certified(t, func(s *seal.Sink, _ *checkpointsFail) {
			must(t, s.Write(t.Context(), denial(0)))
			time.Sleep(60 * time.Hour)
		})
		if len(trails) != 3 {
			t.Errorf("%d trails in 60 hours, want 3", len(trails))
		}
	})
}

func TestCertificateOutlastsAnOutageAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trails := certified(t, func(s *seal.Sink, next *checkpointsFail) {
			time.Sleep(24*time.Hour - time.Minute)
			next.fail.Store(true)
			must(t, s.Write(t.Context(), denial(0)))
			time.Sleep(7 * time.Hour)
			next.fail.Store(false)
			time.Sleep(time.Hour)
		})
		if len(trails) != 2 {
			t.Errorf("%d trails, want 2", len(trails))
		}
	})
}
