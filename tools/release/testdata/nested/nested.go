package main

import (
	"context"
	"fmt"
	"strings"

	// Before lokiclient required a later google.golang.org/genproto, this package was found in two modules.
	_ "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/grpc"

	"github.com/paddock-dev/audit/adapters/auditgrpc"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func init() {
	trials["lokiclient"] = toLokiClient
	trials["auditgrpc"] = throughGRPC
}

func toLokiClient(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	address, pushes, done := server()
	defer done()
	sink, err := lokiclient.New(address, lokiclient.Options{Component: "gate"})
	if err != nil {
		return "", err
	}
	if err := sink.Write(ctx, ae); err != nil {
		return "", err
	}
	err = sink.Close(ctx) // sends what the client holds
	return pushed(ae, pushes), err
}

// throughGRPC writes as the handler of a gRPC call does. The event has to name the user of the call.
func throughGRPC(ctx context.Context, ae *v1alpha1.AuditEvent) (string, error) {
	const user = "carol@example.com"
	ledger := &Ledger{}
	opts := auditgrpc.Options{User: func(context.Context) (string, []string) { return user, nil }}
	info := &grpc.UnaryServerInfo{FullMethod: "/gates.v1.Gates/Open"}
	handler := func(ctx context.Context, _ any) (any, error) { return nil, NewSink(ledger).Write(ctx, ae) }
	_, err := auditgrpc.Unary(opts)(ctx, nil, info, handler)
	if err == nil && !strings.Contains(ledger.Lines(), user) {
		err = fmt.Errorf("the ledger has %q", ledger.Lines())
	}
	return ledger.Lines(), err
}
