// Package auditing records the decisions of Kubernetes components: typed
// builders for events, and one interface, Sink, that every destination has.
//
// A component builds an event and writes it before it acts:
//
//	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{...})
//	if err := sink.Write(ctx, ae); err != nil {
//		http.Error(w, "audit trail unavailable", http.StatusServiceUnavailable)
//		return
//	}
//
// nil means that the event is safe at the level the sink states (LevelOf). An
// error always satisfies errors.Is(err, ErrAuditWrite) and unwraps to its cause;
// whether the component then refuses (fail-closed) or goes on (FailOpen) is its
// own decision. Writing the same event again is harmless: it stays one event.
//
// Package driver is for the authors of destinations and stages, and has what all sinks
// have in common. Package sinktest tests whether a sink keeps the contract.
package auditing
