// Package audithttp puts the facts of an HTTP request into its context, for the audit
// events that are written while it is served.
//
//	http.ListenAndServe(addr, audithttp.Handler(mux, audithttp.Options{RequestIDHeader: "X-Request-Id"}))
//
// An event then says where the request came from, which client sent it and with which
// method. Its id, its user and the addresses that proxies forward are taken only where
// Options say so: anybody can write anything into a header.
package audithttp

import (
	"net/http"
	"net/netip"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// Options say what a request is asked for beyond its address, user agent and method.
// The zero value is valid and asks for nothing.
type Options struct {
	// RequestIDHeader names the header with the id of the request. Its value is what the
	// client or the last proxy wrote. "" for none.
	RequestIDHeader string

	// TrustedProxies are the addresses whose X-Forwarded-For is believed. When the peer
	// is trusted, the source is the rightmost address in the header that is not trusted, or
	// the leftmost address when all are trusted. A header with anything but an address up to
	// there is ignored, and the source is the peer. Empty for none: the header is not read.
	TrustedProxies []netip.Prefix

	// User returns the user who was authenticated, and its groups; "" for nobody. It is
	// called once a request, before the request is served, by several goroutines at once.
	// nil for none.
	User func(r *http.Request) (user string, groups []string)
}

// Handler returns next with the facts of each request in its context. Where the user is
// known only behind another middleware, put it behind that one. Facts that the context
// has already stay, unless the request says otherwise.
func Handler(next http.Handler, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(auditing.With(r.Context(), facts(r, &o))))
	})
}

func facts(r *http.Request, o *Options) auditing.Facts {
	actor := &v1alpha1.AuditActor{SourceAddress: source(r, o.TrustedProxies), UserAgent: r.UserAgent()}
	if o.User != nil {
		actor.User, actor.Groups = o.User(r)
	}
	request := &v1alpha1.AuditRequest{Verb: r.Method}
	if o.RequestIDHeader != "" {
		request.ID = r.Header.Get(o.RequestIDHeader)
	}
	return auditing.Facts{Actor: actor, Request: request}
}
