package flood_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/flood"
)

// A workload tries a thousand connections at once: the trail holds the first and
// one summary of the others, and every writer knows that its event is in it.
func Example() {
	destination := &sinktest.Recorder{}
	sink, err := flood.New(destination, flood.Options{Component: "proxy", Window: 50 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close(context.Background())
	fmt.Println(auditing.Chain(sink))

	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			ae := auditing.NewEgressBlock(auditing.EgressInput{Namespace: "team-a", RunName: "run-7", Host: "evil.example", Port: 443})
			if err := sink.Write(context.Background(), ae); err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()
	sum := int32(0)
	for _, ae := range destination.Events() {
		sum += max(ae.Spec.Count, 1)
	}
	fmt.Println(len(destination.Events()) < 10, sum)
	// Output:
	// flood(recorder)
	// true 1000
}

// Kinds of one's own that must never be collapsed go beside the usual ones.
func ExampleDefaultStandAlone() {
	_, err := flood.New(&sinktest.Recorder{}, flood.Options{StandAlone: append(flood.DefaultStandAlone(), "key-ceremony")})
	fmt.Println(err)
	// Output: <nil>
}
