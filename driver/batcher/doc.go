// Package batcher groups the items of concurrent writers into requests, for the author of a
// destination that takes many events in one request.
//
// A Batcher has a Queue for each group of items that may share a request, or one for all. An
// item that comes while nothing is under way leaves at once. Items that come while a request
// is under way wait, and share the next one. So one writer waits for nobody, and a thousand
// writers cost few requests, without a timer that collects.
//
//	batches, err := batcher.New(batcher.Options[*driver.Event]{})
//	queue := batches.Queue(func(ctx context.Context, events []*driver.Event) []error { ... })
//	...
//	func (s *sink) Store(ctx context.Context, events []*driver.Event) []error { return s.queue.Store(ctx, events) }
//	func (s *sink) Close(ctx context.Context) error                           { return s.batches.Close(ctx) }
//
// The memory of waiting items is bounded: a writer for whom there is no room waits for it, as
// long as its context lets it. A writer whose context ends gives up its own items and leaves
// those of the others alone. A request is cancelled when nobody waits for it any more. There is
// no goroutine while nothing is to be sent.
//
// A destination whose events go to several queues, or to another queue after a refusal, uses
// Batcher.Store between Enter and Leave.
package batcher
