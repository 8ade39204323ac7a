// Package vlsource reads audit events from VictoriaLogs, where sinks/loki has written them.
//
//	lake, err := vlsource.New("lake", "http://victorialogs:9428", vlsource.Options{})
//	if err != nil {
//		return err
//	}
//	for record, err := range lake.Read(ctx, &reading.Query{Since: time.Now().Add(-time.Hour)}) {
//
// The field _msg of a row is the event. The server does not recognise repeats: rows of one
// event with the same content are one record here. It shows a row only some seconds after
// it has confirmed it, so a Read may not have the newest ones.
//
// Pages begin at the time at which the page before ended, so none is lost between them.
// Where one nanosecond has more rows than a request asks for, they are divided by their
// names. What cannot be read is an error, and never left out.
//
// A request is made up to five times within two minutes when the connection breaks, or the
// server answers 429 or 5xx. The pauses grow, and are as long as a Retry-After says.
//
// Follow polls. It finds a row that becomes visible behind the time of the last poll within
// Options.Overlap. An older row that is not visible yet when Follow begins is not found.
package vlsource
