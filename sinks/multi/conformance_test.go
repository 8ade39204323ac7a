package multi_test

import (
	"context"
	"errors"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/multi"
)

func TestConformance(t *testing.T) {
	for _, require := range []multi.Policy{multi.All(), multi.Any(), multi.AtLeast(2), multi.Named("b")} {
		t.Run(require.String(), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, harness(require))
		})
	}
}

func harness(require multi.Policy) sinktest.Harness {
	open := func(fault func(*sinktest.Recorder)) (*multi.Sink, *sinktest.Recorder, error) {
		children := []multi.Child{{Name: "a"}, {Name: "b"}, {Name: "c"}}
		for i := range children {
			r := &sinktest.Recorder{}
			fault(r)
			children[i].Sink = r
		}
		sink, err := multi.New(children, multi.Options{Require: require})
		return sink, children[1].Sink.(*sinktest.Recorder), err
	}
	return sinktest.Harness{
		New: func(context.Context) (sinktest.Subject, error) {
			sink, b, err := open(func(*sinktest.Recorder) {})
			return sinktest.Subject{
				Sink:   sink,
				Stored: func(context.Context) ([]v1alpha1.AuditEvent, error) { return b.Events(), nil },
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
	}
}

var _ auditing.Sink = (*multi.Sink)(nil)
