// Package reading reads audit events back from where they were stored: the API server,
// Loki, VictoriaLogs, log files, a spool.
//
//	q := &reading.Query{Since: time.Now().Add(-time.Hour), Decisions: []v1alpha1.AuditDecision{"denied"}}
//	for entry, err := range reading.Merge(ctx, q, cluster, lake) {
//		if err != nil {
//			log.Print(err) // a source failed, or holds what is no event; the rest goes on
//			continue
//		}
//		fmt.Println(entry.Event().Name, entry.Places())
//	}
//
// Each place is a Source, which yields the events that a Query takes in the order of
// their time and name. Merge makes one entry of what several places hold of one event.
// Diff says which place lacks an event, or holds another one under its name.
//
// Files is the source of log files, which it can follow, and Spool that of the events that
// wait in a spool.
//
// Memory is bounded whatever the number of events is: a place that does not give its
// events in order is sorted in a temporary file.
package reading
