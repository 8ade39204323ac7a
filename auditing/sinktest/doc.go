// Package sinktest tests sinks, and those who write to them.
//
// Who writes a Sink plugs it into Run, which holds it against every clause of
// the contract, in a subtest each, and explains the ones it breaks:
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, sinktest.Harness{New: ..., Failing: ..., Hanging: ...})
//	}
//
// Who writes to a Sink gives their code a Recorder instead, looks at its Events,
// and makes it fail, hang or panic to see what the code does then.
//
// Importing this package links package testing; it is meant for tests.
package sinktest
