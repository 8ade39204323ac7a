// Package loki writes audit events to Grafana Loki and waits for its answer: nil
// from Write means that Loki stored the event. It writes to VictoriaLogs as well,
// which takes the same pushes and promises less: see ServerVictoriaLogs.
//
//	sink, err := loki.New("http://loki:3100", loki.Options{Component: "broker"})
//	if err != nil {
//		return err
//	}
//	defer sink.Close(ctx)
//	if err := sink.Check(ctx); err != nil { // reachable, ready, takes these credentials
//		return err
//	}
//
// Writers share requests: one that is alone is sent at once, and whoever comes
// while a push of the same stream is under way joins the next. Only when hundreds
// wait does a stream have two pushes under way.
//
// # What happens when a push fails
//
// No answer, 408, 429 or 5xx is a transient error of every event in the push: the sink
// itself pushes once. Of a push that it answers with 400, Loki stores the good events,
// and it names few of the bad ones. The sink sends that push again in parts until it
// knows which events are stored, and only those fail, permanently, that Loki refuses
// for good. A 413 is split as well.
//
// # What Loki holds
//
// The labels of a stream are service_name, component, namespace and those of
// Options.Labels. Kind, decision, run and the event's name are structured
// metadata (kind, decision, run, event; and user, request_id and trace_id where they
// are known), and the line is the event as JSON. The line is the record; the rest is
// for selecting:
//
//	{service_name="audit", namespace="team-a"} | decision="denied" | kind="egress-block"
//
// All of it follows from the event and the Options, so that the same event
// written twice, by whatever process, is one entry. Entries of one nanosecond
// come back in any order: sort by time, then by event.
//
// Loki recognises a repeat at once while the entry is in the open block of its
// stream, and again once the chunk is flushed; in between, a query may return
// both. Where Loki spreads a busy stream over shards (shard_streams), a repeat
// in another shard is not recognised at all. A reader that needs exact counts
// folds by event.
//
// # Events that Loki calls too late
//
// Loki refuses an entry an hour behind its stream's newest, one older than 7
// days, and one more than 10 minutes in the future (its defaults). An audit
// event is stored all the same, with one more label, late, and its true time in
// the metadata event_time:
//
//   - Behind its stream: at its true time, in the stream late="2025-11-23T05Z" of
//     the hour it belongs to. Entries of one hour are never an hour behind each
//     other, so any number of replicas can fill in any hours in any order.
//   - Too old or in the future: in the stream late="sent", under the time of
//     sending, cut to 10 minutes, plus less than a second made from its name. So
//     a retry from another process within the same 10 minutes is the same entry.
//
// {late!=""} selects them and {late=""} leaves them out. What a sink has placed
// so it remembers for its next thousands of late events; another process that
// writes a late event again after Loki has changed its mind, or after those 10
// minutes, stores a second entry with the same event name and the same line.
//
// # VictoriaLogs
//
//	sink, err := loki.New("http://victorialogs:9428", loki.Options{Server: loki.ServerVictoriaLogs})
//
// The labels and the metadata are fields there, and the line is the field _msg:
//
//	{service_name="audit", namespace="team-a"} decision:=denied kind:="egress-block"
//
// ServerVictoriaLogs says what its answer promises. A repeat is two rows: readers fold
// by event.
package loki
