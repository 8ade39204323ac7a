// Package auditgrpc puts the facts of a gRPC call into its context, for the audit events
// that are written while it is served.
//
//	o := auditgrpc.Options{RequestIDKey: "x-request-id"}
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(auditgrpc.Unary(o)),
//		grpc.ChainStreamInterceptor(auditgrpc.Stream(o)),
//	)
//
// An event then says from which address the call came, which client sent it and which
// method it is. Its id and its user are taken only where Options say so.
//
// It is a module of its own, so that the library does not require gRPC.
package auditgrpc

import (
	"context"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Options say what a call is asked for beyond its address, user agent and method. The
// zero value is valid and asks for nothing.
type Options struct {
	// RequestIDKey is the key of the metadata with the id of the request, of which the
	// first value is taken. It is what the client wrote. "" for none.
	RequestIDKey string

	// User returns the user who was authenticated, and its groups; "" for nobody. It is
	// called once a call, before the call is served, by several goroutines at once. nil
	// for none.
	User func(ctx context.Context) (user string, groups []string)
}

// Unary puts the facts of each unary call into its context. Chain it behind what
// authenticates, where Options.User needs that. Facts that the context has already stay,
// unless the call says otherwise.
func Unary(o Options) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(with(ctx, info.FullMethod, &o), req)
	}
}

// Stream is Unary for streams. The events of all messages of a stream have its facts.
func Stream(o Options) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		return next(srv, &streamWith{stream, with(stream.Context(), info.FullMethod, &o)})
	}
}

// streamWith is a stream with another context.
type streamWith struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWith) Context() context.Context { return s.ctx }

func with(ctx context.Context, method string, o *Options) context.Context {
	actor := &v1alpha1.AuditActor{SourceAddress: source(ctx), UserAgent: first(ctx, "user-agent")}
	if o.User != nil {
		actor.User, actor.Groups = o.User(ctx)
	}
	request := &v1alpha1.AuditRequest{Verb: method}
	if o.RequestIDKey != "" {
		request.ID = first(ctx, o.RequestIDKey)
	}
	return auditing.With(ctx, auditing.Facts{Actor: actor, Request: request})
}

// source returns the address of the peer; "" for one without, as behind a Unix socket.
func source(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	address, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return ""
	}
	return address.Addr().Unmap().String()
}

// first returns the first value of a key of the call's metadata, or "".
func first(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}
