// Package sinktest tests sinks, and code that writes to sinks.
//
// The author of a Sink passes it to Run. Run tests it against every clause of the
// contract, each in a subtest, and explains the clauses that the sink breaks:
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, sinktest.Harness{New: ..., Failing: ..., Hanging: ...})
//	}
//
// The author of code that writes to a Sink passes a Recorder to that code. The test
// looks at the Recorder's Events, and makes it fail, hang or panic to see what the code
// does then.
//
// Import this package in tests only: it links package testing.
package sinktest
