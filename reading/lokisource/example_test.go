package lokisource_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/lokitest"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/sinks/loki"
)

// An event goes in through the sink and comes back through the source.
func Example() {
	standin, err := lokitest.New(lokitest.Config{}) // in place of a Loki
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(standin)
	defer server.Close()
	ctx := context.Background()

	sink, err := loki.New(server.URL, loki.Options{Component: "broker"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close(ctx)
	err = sink.Write(ctx, auditing.NewEvent(auditing.EventInput{
		Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionGranted, Reason: "it was four o'clock",
	}))
	if err != nil {
		fmt.Println(err)
		return
	}

	lake, err := lokisource.New("loki", server.URL, lokisource.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for record, err := range lake.Read(ctx, &reading.Query{Kinds: []v1alpha1.AuditKind{"tea-brewed"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.Source, record.Event.Namespace, record.Event.Spec.Reason)
	}
	// Output: loki team-a it was four o'clock
}
