package driver_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/spool"
)

// disk takes lines until it is full.
type disk struct {
	bytes.Buffer

	full bool
}

func (d *disk) Write(line []byte) (int, error) {
	if d.full {
		return 0, errors.New("no space left on device")
	}
	return d.Buffer.Write(line)
}

// logOf returns a log of a component on a disk.
func logOf(t testing.TB, d *disk, component string) auditing.Sink {
	t.Helper()
	s, err := auditlog.NewWriter(d, auditlog.Options{Component: component})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made fails the test when a sink could not be made.
func made[S auditing.Sink](t testing.TB) func(S, error) S {
	return func(s S, err error) S {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func fanOut(sinks ...auditing.Sink) (auditing.Sink, error) {
	children := make([]multi.Child, len(sinks))
	for i, s := range sinks {
		children[i] = multi.Child{Name: string(rune('a' + i)), Sink: s}
	}
	return multi.New(children, multi.Options{})
}

// The three faults of the first core.

func TestAFanOutCountsUnderTheComponentOfItsLog(t *testing.T) {
	var d disk
	s := made[auditing.Sink](t)(fanOut(logOf(t, &d, "log-broker")))
	wantRises(t, "a success", rises(t, func() {
		if err := s.Write(t.Context(), denial()); err != nil {
			t.Error(err)
		}
	}), series(eventsTotal, "log-broker"))
	d.full = true
	wantRises(t, "a failure", rises(t, func() {
		if err := s.Write(t.Context(), denial()); err == nil {
			t.Error("no error")
		}
	}), series(eventsTotal, "log-broker"), series(failedTotal, "log-broker"))
	if !strings.Contains(d.String(), `"paddock.dev/component":"log-broker"`) {
		t.Errorf("stored %s", d.String())
	}
}

func TestARetryCountsALongReasonUnderTheComponentOfItsLog(t *testing.T) {
	var d disk
	s := made[*retry.Sink](t)(retry.New(logOf(t, &d, "log-proxy"), retry.Options{MaxAttempts: 1}))
	for _, c := range []struct {
		full bool
		want []string
	}{
		{false, []string{series(eventsTotal, "log-proxy")}},
		{true, []string{series(eventsTotal, "log-proxy"), series(failedTotal, "log-proxy")}},
	} {
		d.full = c.full
		ae := denial()
		ae.Spec.Reason = text(5000)
		wantRises(t, "a long reason", rises(t, func() { _ = s.Write(t.Context(), ae) }), c.want...)
	}
	if !strings.Contains(d.String(), `"paddock.dev/component":"log-proxy"`) {
		t.Errorf("stored %s", d.String())
	}
}

func TestAWriteToAnotherSinkUnderAStagesContextIsCounted(t *testing.T) {
	var d, other disk
	alarms := logOf(t, &other, "log-alarms")
	inner := newSink(stub{store: one(func(ctx context.Context, _ *driver.Event) error {
		return alarms.Write(ctx, denial())
	})})
	s := made[auditing.Sink](t)(fanOut(logOf(t, &d, "log-own"), made[*retry.Sink](t)(retry.New(inner, retry.Options{}))))
	wantRises(t, "both", rises(t, func() {
		if err := s.Write(t.Context(), denial()); err != nil {
			t.Error(err)
		}
	}), series(eventsTotal, "log-own"), series(eventsTotal, "log-alarms"))
}

func TestAFanOutOfTwoComponentsIsAnErrorOfNew(t *testing.T) {
	var d disk
	if _, err := fanOut(logOf(t, &d, "broker"), logOf(t, &d, "proxy")); err == nil || !strings.Contains(err.Error(), "two components") {
		t.Errorf("error %v", err)
	}
}

// realChain returns a random chain of the library's own stages.
func (c *chains) realChain(t *testing.T, depth int) (auditing.Sink, error) {
	if depth == 0 || c.IntN(6) == 0 {
		return c.make(c.IntN(2))
	}
	next, err := c.realChain(t, depth-1)
	if err != nil {
		return nil, err
	}
	component := c.component()
	switch c.IntN(5) {
	case 0:
		return retry.New(next, retry.Options{Component: component, MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond, MaxAttempts: 3})
	case 1:
		s, err := flood.New(next, flood.Options{Component: component, Window: time.Millisecond})
		if err == nil {
			t.Cleanup(func() { _ = s.Close(context.Background()) })
		}
		return s, err
	case 2:
		s, err := spool.New(t.TempDir(), next, spool.Options{Component: component, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
		if err == nil {
			t.Cleanup(func() {
				ended, cancel := context.WithCancel(context.Background())
				cancel()
				_ = s.Close(ended)
			})
		}
		return s, err
	}
	behind := []auditing.Sink{next}
	for range c.IntN(3) {
		more, err := c.realChain(t, depth-1)
		if err != nil {
			return nil, err
		}
		behind = append(behind, more)
	}
	return fanOut(behind...)
}

// A spool and a flood store in the background, also while another event is written:
// that must raise no series of events.
func TestRandomChainsOfRealStagesCountEachWriteOnce(t *testing.T) {
	c := newChains(5)
	outcomes := map[string]int{}
	for range 60 {
		t.Run("chain", func(t *testing.T) {
			chain, err := c.realChain(t, 3)
			if err != nil && !strings.Contains(err.Error(), "two components") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			s, err := newStage("outermost", c.component(), 1, chain)
			if err != nil {
				return
			}
			for range 3 {
				outcomes[c.writeAndCompare(t, s)]++
			}
			if t.Failed() {
				t.Log(s)
			}
		})
	}
	for _, outcome := range []string{"stored", "failed", "invalid"} {
		if outcomes[outcome] < 10 {
			t.Errorf("%v: not enough to tell", outcomes)
		}
	}
}
