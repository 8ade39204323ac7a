package lokiclient_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func Example() {
	server, err := testenv.StartLoki(testenv.LokiOptions{}) // in a program, this is the address of your Loki
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Stop() }()
	if err := record(context.Background(), server.URL); err != nil {
		fmt.Println(err)
	}
	// Output: lokiclient: accepted
}

func record(ctx context.Context, address string) (err error) {
	sink, err := lokiclient.New(address, lokiclient.Options{Component: "proxy"})
	if err != nil {
		return err
	}
	// Write returns nil before the event is sent. Only Close knows whether it was sent.
	defer func() { err = errors.Join(err, sink.Close(ctx)) }()
	fmt.Printf("%s: %s\n", auditing.Chain(sink), auditing.LevelOf(sink))
	return sink.Write(ctx, auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "run-1", Namespace: "team-a", Host: "paste.example.com", Port: 443,
		Reason: "the host is not on the allow list",
	}))
}
