// Package driver is for the authors of destinations and stages. A program that only
// writes events needs package auditing alone.
//
// A destination is a Driver: it says what it is (Info) and stores prepared events
// (Store). New makes an auditing.Sink of it. This package does what all destinations have
// in common: it validates, names, labels, bounds and encodes each event once, counts
// it once, and wraps the errors.
//
// A stage is a Driver that hands events on to other drivers, which it gets from Of
// when it is made. An event never changes: a stage that redacts hands on a copy. Nothing
// about it travels in the context.
//
// # A sink over HTTP
//
// Package httpdriver is the client of a destination that takes events over HTTP. Store posts
// the bytes of an event, and returns the error of the answer, whose class follows from its
// status. The example of that package is such a destination in 40 lines.
//
// # Tests
//
// Package sinktest tests whether a Sink and its Driver keep the contract.
package driver
