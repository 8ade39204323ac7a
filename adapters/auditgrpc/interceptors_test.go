package auditgrpc_test

import (
	"context"
	"net"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/paddock-dev/audit/adapters/auditgrpc"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

// recording is a health service that writes an event for each call.
type recording struct {
	grpc_health_v1.UnimplementedHealthServer
	sink sinktest.Recorder
}

func (r *recording) write(ctx context.Context) error {
	return r.sink.Write(ctx, auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}))
}

func (r *recording) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{}, r.write(ctx)
}

func (r *recording) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	return r.write(stream.Context())
}

// serve runs the service on a listener and returns a client of it.
func serve(t *testing.T, listener net.Listener, target string, o auditgrpc.Options) (*recording, grpc_health_v1.HealthClient) {
	t.Helper()
	service := &recording{}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(auditgrpc.Unary(o)), grpc.ChainStreamInterceptor(auditgrpc.Stream(o)))
	grpc_health_v1.RegisterHealthServer(server, service)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent("broker/1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.GracefulStop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return service, grpc_health_v1.NewHealthClient(conn)
}

// call makes a unary and a streaming call and returns the event of each.
func call(ctx context.Context, t *testing.T, service *recording, client grpc_health_v1.HealthClient) []v1alpha1.AuditEvent {
	t.Helper()
	if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil || err.Error() != "EOF" {
		t.Fatalf("the stream ends with %v", err)
	}
	events := service.sink.Events()
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	return events
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

var methods = []string{"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}

func TestZeroOptionsTakeNothingFromOtherMetadata(t *testing.T) {
	listener := loopback(t)
	service, client := serve(t, listener, listener.Addr().String(), auditgrpc.Options{})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "1", "x-forwarded-for", "203.0.113.9", "authorization", "secret")
	for i, ae := range call(ctx, t, service, client) {
		s := ae.Spec
		if a := s.Actor; a.SourceAddress != "127.0.0.1" || !strings.HasPrefix(a.UserAgent, "broker/1 grpc-go/") || a.User != "" {
			t.Errorf("actor %+v", a)
		}
		if want := (v1alpha1.AuditRequest{Verb: methods[i]}); *s.Request != want {
			t.Errorf("request %+v, want %+v", s.Request, want)
		}
	}
}

func TestOptionsNameTheRequestIDAndTheUser(t *testing.T) {
	listener := loopback(t)
	service, client := serve(t, listener, listener.Addr().String(), auditgrpc.Options{
		RequestIDKey: "X-Request-Id",
		User: func(ctx context.Context) (string, []string) {
			return metadata.ValueFromIncomingContext(ctx, "user")[0], []string{"operators"}
		},
	})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "7f3a", "x-request-id", "second", "user", "alice")
	for i, ae := range call(ctx, t, service, client) {
		s := ae.Spec
		if a := s.Actor; a.User != "alice" || !reflect.DeepEqual(a.Groups, []string{"operators"}) {
			t.Errorf("actor %+v", a)
		}
		if want := (v1alpha1.AuditRequest{ID: "7f3a", Verb: methods[i]}); *s.Request != want {
			t.Errorf("request %+v, want %+v", s.Request, want)
		}
	}
}

func TestAPeerOnAUnixSocketHasNoAddress(t *testing.T) {
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	service, client := serve(t, listener, "unix:"+path, auditgrpc.Options{})
	for _, ae := range call(t.Context(), t, service, client) {
		if a := ae.Spec.Actor.SourceAddress; a != "" {
			t.Errorf("address %q", a)
		}
	}
}
