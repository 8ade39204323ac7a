package spool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

// large is an event of some 10 KB.
func large(name string) *v1alpha1.AuditEvent {
	ae := event(name)
	ae.Annotations = map[string]string{"filler": strings.Repeat("x", 10_000)}
	return ae
}

// fill writes until the spool is full, and returns how many it took.
func fill(t *testing.T, s *spool.Sink) int {
	t.Helper()
	for n := range 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a busy disk takes its time
		err := s.Write(ctx, large("ae-"+strings.Repeat("x", n%50)+"-"+time.Now().Format("150405.000000000")))
		cancel()
		if err != nil {
			mustFail(t, err, auditing.ClassFull, nil)
			return n
		}
	}
	t.Fatal("the spool never got full")
	return 0
}

func awayWith(max int64) (*sinktest.Recorder, spool.Options) {
	r := &sinktest.Recorder{}
	r.FailWith(errors.New("away"))
	opts := quick()
	opts.MaxBytes = max
	return r, opts
}

func TestAFullSpoolFailsWritesUntilThereIsRoom(t *testing.T) {
	r, opts := awayWith(1 << 20)
	s := open(t, t.TempDir(), r, opts)
	taken := fill(t, s)
	if taken < 90 || taken > 105 {
		t.Errorf("it took %d events of 10 KB into 1 MiB", taken)
	}
	r.FailWith(nil)
	eventually(t, "there is room again", func() bool { return s.Write(t.Context(), large("again")) == nil })
	drain(t, s)
	if got := len(r.Events()); got != taken+1 {
		t.Errorf("%d events were delivered, want %d", got, taken+1)
	}
}

func TestABlockingSpoolWaitsForRoom(t *testing.T) {
	r, opts := awayWith(1 << 20)
	opts.WhenFull = spool.BlockWhenFull
	s := open(t, t.TempDir(), r, opts)
	taken := fill(t, s)
	waited := make(chan error, 1)
	go func() { waited <- s.Write(t.Context(), large("waited")) }()
	r.FailWith(nil)
	if err := <-waited; err != nil {
		t.Errorf("the write that waited: %v", err)
	}
	drain(t, s)
	if got := len(r.Events()); got != taken+1 {
		t.Errorf("%d events were delivered, want %d", got, taken+1)
	}
}

func TestABlockedWriteEndsWithItsContextAndWithTheSink(t *testing.T) {
	r, opts := awayWith(1 << 20)
	opts.WhenFull = spool.BlockWhenFull
	s := open(t, t.TempDir(), r, opts)
	fill(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	mustFail(t, s.Write(ctx, large("late")), auditing.ClassFull, context.DeadlineExceeded)
	waited := make(chan error, 1)
	go func() { waited <- s.Write(t.Context(), large("closed")) }()
	abandon(s)
	mustFail(t, <-waited, auditing.ClassClosed, nil)
}

func TestASpoolIsFullWhenItsOldestEventIsTooOld(t *testing.T) {
	r, opts := awayWith(1 << 20)
	opts.MaxAge = 50 * time.Millisecond
	s := open(t, t.TempDir(), r, opts)
	mustWrite(t, s, "ae", 1)
	eventually(t, "it is full", func() bool {
		err := s.Write(t.Context(), event("more"))
		return err != nil && strings.Contains(err.Error(), "MaxAge")
	})
	r.FailWith(nil)
	eventually(t, "it is not full any more", func() bool { return s.Write(t.Context(), event("again")) == nil })
}

// giant is a valid event of more than 4 MiB.
func giant() *v1alpha1.AuditEvent {
	ae := event("giant")
	ae.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", UID: "1", Name: strings.Repeat("n", 5<<20)}}
	return ae
}

func TestAnEventTooLargeForARecordIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), &sinktest.Recorder{}, quick())
	if err := s.Write(t.Context(), giant()); err == nil {
		t.Fatal("Write succeeded")
	} else if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent {
		t.Errorf("class %s, want permanent: %.200v", class, err)
	}
}
