// Package route sends each event to one of several sinks, by its kind, decision and
// namespace.
//
//	sink, err := route.New([]route.Route{
//		{Kinds: []string{"credential-*"}, Sink: cluster},
//		{Decisions: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionDenied}, Sink: lake},
//		{Sink: console},
//	}, route.Options{})
//
// The first route that takes an event is the one that it goes to. An event that no
// route takes is an error, unless Options.Rest says that it is dropped: that makes a
// filter of one route. To write an event to several sinks, route to a multi.
package route
