package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/seal"
)

// path is a way that an event walks.
type path struct {
	name   string
	events int // of the longer of two runs
	// open returns what one event does. It may write below dir.
	open func(dir string) (each func(context.Context) error, err error)
}

// paths are those whose instructions are counted.
var paths = []path{
	{"build", 20_000, func(string) (func(context.Context) error, error) {
		return func(context.Context) error {
			if bench.NewCredential().Spec.Kind == "" {
				return errors.New("the builder left the kind out")
			}
			return nil
		}, nil
	}},
	into("log", func(dir string) (auditing.Sink, error) {
		return log.NewFile(filepath.Join(dir, "audit.log"), log.FileOptions{Options: log.Options{Component: bench.Component}})
	}),
	into("multi", func(string) (auditing.Sink, error) {
		var children []multi.Child
		for _, name := range []string{"a", "b", "c"} {
			children = append(children, multi.Child{Name: name, Sink: driver.New(nowhere{})})
		}
		return multi.New(children, multi.Options{})
	}),
	before("retry", func(next auditing.Sink) (auditing.Sink, error) { return retry.New(next, retry.Options{}) }),
	before("flood", func(next auditing.Sink) (auditing.Sink, error) { return flood.New(next, flood.Options{}) }),
	before("redact", func(next auditing.Sink) (auditing.Sink, error) {
		return redact.New(next, redact.Options{Rules: []redact.Rule{{Fields: []string{"spec.reason"}, Action: redact.Drop}}})
	}),
	before("seal", func(next auditing.Sink) (auditing.Sink, error) { // without a checkpoint on the way, which comes at any time
		return seal.New(next, seal.Options{Leaves: 2000, Interval: time.Hour})
	}),
}

// into writes new events to a sink.
func into(name string, open func(dir string) (auditing.Sink, error)) path {
	return path{name, 1900, func(dir string) (func(context.Context) error, error) {
		sink, err := open(dir)
		if err != nil {
			return nil, err
		}
		ae := bench.NewCredential()
		return func(ctx context.Context) error { bench.Renew(ae); return sink.Write(ctx, ae) }, nil
	}}
}

// before writes new events to a stage in front of nowhere.
func before(name string, open func(next auditing.Sink) (auditing.Sink, error)) path {
	return into(name, func(string) (auditing.Sink, error) { return open(driver.New(nowhere{})) })
}

// nowhere is a destination that takes everything at once.
type nowhere struct{ driver.Base }

func (nowhere) Info() driver.Info {
	return driver.Info{Name: "nowhere", Component: bench.Component, Level: auditing.LevelAcknowledged}
}

func (nowhere) Store(context.Context, []*driver.Event) []error { return nil }
