package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// flaky is a destination that loses events, and stores others without saying so.
type flaky struct {
	mu     sync.Mutex
	random *rand.Rand
	stored []*v1alpha1.AuditEvent
	good   bool // from now on
}

func (f *flaky) Info() driver.Info {
	return driver.Info{Name: "flaky", Level: auditing.LevelDurable}
}
func (f *flaky) Check(context.Context) error { return nil }
func (f *flaky) Close(context.Context) error { return nil }

func (f *flaky) Store(_ context.Context, events []*driver.Event) []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := make([]error, len(events))
	for i, e := range events {
		n := f.random.IntN(10)
		if f.good {
			n = 9
		}
		switch {
		case n < 2:
			errs[i] = driver.Permanent(errors.New("refused"))
			continue
		case n < 4:
			errs[i] = errors.New("no answer, and not stored")
			continue
		case n < 6:
			errs[i] = errors.New("no answer, and stored")
		}
		f.stored = append(f.stored, e.Object())
	}
	return errs
}

// soFar returns what is stored.
func (f *flaky) soFar() []*v1alpha1.AuditEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stored)
}

func TestAFlakyDestinationIsNoTampering(t *testing.T) {
	r := newRoot(t)
	to := &flaky{random: rand.New(rand.NewPCG(1, 2))}
	sink, err := seal.New(driver.New(to), seal.Options{
		Component: "broker", Cluster: "prod", Authority: now{r}, Leaves: 5, MaxEvents: 100, Interval: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 40 {
				ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", Host: fmt.Sprintf("h-%d-%d", w, i), Port: 443, Reason: "no policy"})
				for range 3 { // a caller that tries again, and then gives up
					if err := sink.Write(ctx, ae); err == nil {
						break
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		if got := report(t, r, places{"a": to.soFar()}, verify.Options{}); got.Verdict == verify.Tampered {
			t.Fatalf("killed now: %+v", got.Findings[0])
		}
	}
	to.mu.Lock()
	to.good = true
	to.mu.Unlock()
	if err := sink.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got := report(t, r, places{"a": to.soFar()}, verify.Options{})
	mustFindOnly(t, got, verify.Intact)
	failed := int64(0)
	for _, trail := range got.Trails {
		failed += trail.Failed + trail.Unclear
	}
	if len(got.Trails) < 3 || failed == 0 {
		t.Errorf("%d trails with %d failures: the test tests nothing", len(got.Trails), failed)
	}
}

// now certifies keys for the present with a root.
type now struct{ *root }

func (n now) Certify(_ context.Context, key string, notBefore, notAfter time.Time) (string, time.Time, error) {
	signed, err := certificate(n.root, key, notBefore, notAfter)
	return signed, notAfter, err
}
