// Package lokisource reads audit events from Grafana Loki, where sinks/loki has written
// them.
//
//	lake, err := lokisource.New("loki", "http://loki:3100", lokisource.Options{TenantID: "audit"})
//	if err != nil {
//		return err
//	}
//	for record, err := range lake.Read(ctx, &reading.Query{Since: time.Now().Add(-time.Hour)}) {
//
// The line of an entry is the event, and its own time counts: an event that Loki had
// called too late, and that is stored under the time of its sending, is found where it
// belongs. Loki selects by the labels and the metadata that repeat namespace, component,
// kind, decision, run and name; all conditions are held against each event here.
//
// Pages begin at the time at which the page before ended, so none is lost between them.
// Where one nanosecond has more entries than Loki answers at once, they are divided by
// their names. A page whose answer is too large is asked for again in smaller parts. What
// cannot be read is an error, and never left out.
//
// A request is made up to five times within two minutes when the connection breaks, or the
// server answers 429 or 5xx. The pauses grow, and are as long as a Retry-After says.
//
// Follow polls. It finds an event that is stored behind the time of the last poll within
// Options.Overlap, and in a stream of late events within Options.LateOverlap.
package lokisource
