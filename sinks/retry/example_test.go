package retry_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/retry"
)

// A destination that is away for a moment costs a pause and not the event.
func Example() {
	destination := &sinktest.Recorder{}
	destination.FailNext(2, syscall.ECONNREFUSED)

	sink, err := retry.New(destination, retry.Options{MinBackoff: 10 * time.Millisecond, Within: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close(context.Background())
	fmt.Println(auditing.Chain(sink))

	ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "run-7", Host: "evil.example"})
	fmt.Println(sink.Write(context.Background(), ae), len(destination.Events()))
	// Output:
	// retry(recorder)
	// <nil> 1
}

// The error says how often it was tried, and unwraps to what each attempt met with.
func ExampleError() {
	destination := &sinktest.Recorder{}
	destination.FailWith(syscall.ECONNREFUSED)
	sink, err := retry.New(destination, retry.Options{MinBackoff: time.Millisecond, MaxAttempts: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = sink.Write(context.Background(), auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a"}))
	var tried *retry.Error
	if errors.As(err, &tried) {
		fmt.Println(tried.Attempts, tried.GaveUp, errors.Is(err, syscall.ECONNREFUSED))
	}
	// Output:
	// 3 no further attempt is allowed true
}
