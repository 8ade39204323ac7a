// Package driver is for the authors of destinations and stages. Who writes events
// needs package auditing only.
//
// A destination is a Driver: it says what it is (Info) and stores prepared events
// (Store). New makes an auditing.Sink of it. All that destinations have in common
// is done for it before and after: an event is validated, named, labelled, bounded
// and encoded once, counted once, and its errors are wrapped.
//
// A stage is a Driver that hands events on to other drivers, which it gets from Of
// when it is made. An event goes through a chain as it is: it never changes, and
// nothing about it travels in the context.
//
// The suite in package sinktest holds a Sink, and what its Driver promises, to the
// contract.
package driver
