package sinktest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

var errDisk = errors.New("no space left on device")

func TestConformance(t *testing.T) { sinktest.Run(t, recorders()) }

func recorders() sinktest.Harness {
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			r := &sinktest.Recorder{}
			return sinktest.Subject{
				Sink:   r,
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return r.Events(), nil },
				Again:  func(context.Context) (auditing.Sink, error) { return r, nil },
			}, nil
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			r.FailWith(errDisk)
			return sinktest.Fault{Sink: r, Caused: func(err error) bool { return errors.Is(err, errDisk) }}, nil
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			r := &sinktest.Recorder{}
			return sinktest.Fault{Sink: r, Release: r.Hang()}, nil
		},
	}
}
