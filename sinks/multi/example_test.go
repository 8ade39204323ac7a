package multi_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/multi"
)

// The cluster has to have the event; the copy in the lake is best effort, and an
// alarm says when it failed.
func Example() {
	cluster, lake := &sinktest.Recorder{}, &sinktest.Recorder{}
	lake.FailWith(errors.New("connection refused"))

	alarm := make(chan string, 1)
	sink, err := multi.New([]multi.Child{
		{Name: "cluster", Sink: cluster, Timeout: 2 * time.Second},
		{Name: "lake", Sink: lake, Timeout: 5 * time.Second},
	}, multi.Options{
		Require: multi.Named("cluster"),
		OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
			var failed *auditing.WriteError
			if errors.As(err, &failed) {
				alarm <- failed.Sink + " has no " + failed.Event
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close(context.Background())
	fmt.Println(auditing.Chain(sink))

	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted,
	})
	ae.Name = "tea-1"
	fmt.Println(sink.Write(context.Background(), ae), len(cluster.Events()))
	fmt.Println(<-alarm)
	// Output:
	// multi(required(cluster))[recorder, recorder]
	// <nil> 1
	// lake has no team-a/tea-1
}

// The error says how each child fared.
func ExampleError() {
	up, down := &sinktest.Recorder{}, &sinktest.Recorder{}
	down.FailWith(errors.New("connection refused"))
	sink, err := multi.New([]multi.Child{{Name: "up", Sink: up}, {Name: "down", Sink: down}}, multi.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted,
	})
	ae.Name = "tea-1"
	err = sink.Write(context.Background(), ae)
	fmt.Println(err)
	var fared *multi.Error
	if errors.As(err, &fared) {
		fmt.Println(fared.Succeeded, fared.Failed)
	}
	// Output:
	// audit write failed: event team-a/tea-1: multi: transient: all was required; down failed: recorder: transient: connection refused; succeeded: up
	// [up] [down]
}
