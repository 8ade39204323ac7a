// Package multi writes every event to several sinks at once.
//
//	sink, err := multi.New([]multi.Child{
//		{Name: "kube", Sink: cluster, Timeout: 2 * time.Second},
//		{Name: "lake", Sink: lake},
//	}, multi.Options{Require: multi.Named("kube")})
//
// The event is prepared first, so that it has one name everywhere, and never changes
// after that: all children share it. A child that hangs or panics neither holds nor
// breaks another. Options.Require says which children have to succeed: All of
// them, Any, AtLeast so many, or the Named ones, with the rest on best effort.
//
// Write returns nil as soon as the requirement is met. Children that are still
// at it go on, without the caller's cancellation and with its deadline, and
// Options.OnFailure hears of every failure that Write did not report.
package multi
