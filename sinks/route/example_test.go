package route_test

import (
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/route"
)

// Denials go to one sink, and nothing else does.
func ExampleNew() {
	var cluster sinktest.Recorder // a kube.Sink in a program
	sink, err := route.New([]route.Route{
		{Decisions: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionDenied}, Sink: &cluster},
	}, route.Options{Rest: route.RestDropped})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sink)
	// Output: route[denied: recorder, rest: dropped]
}
