package auditgrpc_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/paddock-dev/audit/adapters/auditgrpc"
)

func Example() {
	o := auditgrpc.Options{RequestIDKey: "x-request-id"}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(auditgrpc.Unary(o)), grpc.ChainStreamInterceptor(auditgrpc.Stream(o)))
	service := &recording{} // yours writes events with the context that it is called with
	grpc_health_v1.RegisterHealthServer(server, service)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", "7f3a")
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		fmt.Println(err)
		return
	}
	spec := service.sink.Events()[0].Spec
	fmt.Println(spec.Actor.SourceAddress, spec.Request.Verb, spec.Request.ID)
	// Output: 127.0.0.1 /grpc.health.v1.Health/Check 7f3a
}
