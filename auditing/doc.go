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
// Package driver is for who writes a destination or a stage. It owns everything
// that sinks have in common; package sinktest holds the result to the contract.
package auditing
