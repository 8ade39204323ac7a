package route_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/route"
)

var errRefused = errors.New("connection refused")

// open returns a Sink that sends denials to one Recorder and all else to another.
func open(fault func(*sinktest.Recorder)) (*route.Sink, []*sinktest.Recorder, error) {
	recorders := []*sinktest.Recorder{{}, {}}
	for _, r := range recorders {
		fault(r)
	}
	sink, err := route.New([]route.Route{
		{Decisions: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionDenied}, Sink: recorders[0]},
		{Sink: recorders[1]},
	}, route.Options{})
	return sink, recorders, err
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			sink, recorders, err := open(func(*sinktest.Recorder) {})
			return sinktest.Subject{
				Sink: sink,
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) {
					return append(recorders[0].Events(), recorders[1].Events()...), nil
				},
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, _, err := open(func(r *sinktest.Recorder) { r.FailWith(errRefused) })
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, errRefused) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			var releases []func()
			sink, _, err := open(func(r *sinktest.Recorder) { releases = append(releases, r.Hang()) })
			return sinktest.Fault{Sink: sink, Release: func() {
				for _, release := range releases {
					release()
				}
			}}, err
		},
	})
}
