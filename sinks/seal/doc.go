// Package seal makes a trail prove itself. An auditor needs the events of one destination, and
// a key that came another way, to tell whether events were changed, removed or added.
//
//	sink, err := seal.New(multi, seal.Options{Component: "broker", Cluster: "prod", Namespace: "audit"})
//
// Each event gets a place in a Merkle tree, and the annotation paddock.dev/seal names it. The
// stage signs the tree in checkpoints, which are events themselves and go to the same
// destinations in the background. `auditctl verify` reads both.
//
// The stage never delays a write and fails one for a single reason: the event was changed
// after it was sealed. What an attempt to store an event came to is part of the checkpoints,
// so that an event that a destination refused is not taken for a deleted one.
//
// A trail lasts as long as its process, or Options.MaxAge. Its key is made for it, kept in
// memory, and erased when the trail is closed. Options.Authority says who vouches for it.
// Through Options.Board, trails tell of each other, so that a deleted trail leaves a trace.
//
// Put seal behind redact and flood, so that what is sealed is what is stored, and before
// multi, retry and spool, so that every destination holds the same seal:
// redact(flood(seal(multi(...)))).
package seal
