// Package stagetest tests a stage, which is a Sink around a Sink, with the conformance
// suite. It puts the stage in front of every kind of destination, including real servers.
package stagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/log"
)

// Stage puts the stage under test in front of a destination.
type Stage func(auditing.Sink) (auditing.Sink, error)

// Destinations have a harness of a stage in front of each kind of destination. The
// test binary shares the servers, so TestMain has to call testenv.Run.
var Destinations = []struct {
	Name    string
	Harness func(*testing.T, Stage) sinktest.Harness
}{
	{"recorder", recorderHarness},
	{"log", logHarness},
	{"kube", kubeHarness},
	{"loki", lokiHarness},
	{"victorialogs", victoriaLogsHarness},
}

var errRefused = errors.New("refused")

func recorderHarness(_ *testing.T, in Stage) sinktest.Harness {
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			r := &sinktest.Recorder{}
			sink, err := in(r)
			return sinktest.Subject{
				Sink:   sink,
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return r.Events(), nil },
				Again:  func(context.Context) (auditing.Sink, error) { return in(r) },
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			r.FailWith(errRefused)
			sink, err := in(r)
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, errRefused) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			release := r.Hang()
			sink, err := in(r)
			return sinktest.Fault{Sink: sink, Release: release}, err
		},
	}
}

// output is the output of a log. A test can make it fail and hang.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	held chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	if o.held != nil {
		<-o.held
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	return o.text.Write(p)
}

// events reads the lines back. It returns one event for several lines of the same event,
// as readers of a log do.
func (o *output) events(context.Context) ([]v1alpha1.AuditEvent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]bool{}
	var events []v1alpha1.AuditEvent
	for line := range strings.Lines(o.text.String()) {
		if seen[line] {
			continue
		}
		seen[line] = true
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(line), &ae); err != nil {
			return nil, fmt.Errorf("a line that is no event: %w", err)
		}
		events = append(events, ae)
	}
	return events, nil
}

func logHarness(_ *testing.T, in Stage) sinktest.Harness {
	open := func(o *output) (auditing.Sink, error) {
		sink, err := log.NewWriter(o, log.Options{})
		if err != nil {
			return nil, err
		}
		return in(sink)
	}
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			o := &output{}
			sink, err := open(o)
			return sinktest.Subject{
				Sink: sink, Stored: o.events,
				Again: func(context.Context) (auditing.Sink, error) { return open(o) },
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, err := open(&output{err: syscall.EPIPE})
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.EPIPE) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			o := &output{held: make(chan struct{})}
			sink, err := open(o)
			return sinktest.Fault{Sink: sink, Release: sync.OnceFunc(func() { close(o.held) })}, err
		},
	}
}
