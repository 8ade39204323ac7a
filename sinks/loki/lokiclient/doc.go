// Package lokiclient hands audit events to Grafana's loki-client-go, which sends
// them to Loki in the background and confirms nothing. Its level is
// auditing.LevelAccepted: nil from Write means that the event is in that client's
// memory.
//
//	sink, err := lokiclient.New("http://loki:3100", lokiclient.Options{Component: "broker"})
//	if err != nil {
//		return err
//	}
//	defer func() { err = errors.Join(err, sink.Close(ctx)) }() // says what was dropped
//
// An audit trail wants package sinks/loki, whose nil means that Loki stored the
// event. This one is for who needs exactly that client: the README says what it
// loses, with the tests that show it. It is a module of its own, for the client
// brings all of prometheus/prometheus into go.sum.
//
// What Loki holds is laid out as sinks/loki lays it out: labels service_name,
// component and namespace, structured metadata kind, decision, run and event,
// and the event's JSON as the line.
package lokiclient
