// Package spool stores events on the local disk before it hands them on.
//
//	sink, err := spool.New("/var/lib/audit", lake, spool.Options{})
//
// Write returns once the event is in a file and fsynced (auditing.LevelDurable);
// writers that come at the same time share an fsync. A sender in the background
// hands the events to the next sink in the order in which they were stored, and
// forgets one only when that sink answered nil. So a component stays up while
// its destination is away, and nothing it was told is stored is lost when it is
// killed.
//
// # What lies in the directory
//
//	lock                  held by the one process that uses the directory
//	progress              how far the sender has come
//	<number>.seg          the events that wait, in files of Options.SegmentBytes
//	dead/<id>.json        events that the next sink refused for good, with its reason
//	requeue/<id>.json     dead letters on their way back into the queue
//	damaged/<where>.bin   bytes in which no event could be found
//	damaged/<number>.seg  files of events that could not be read, or not be copied
//
// Files have the mode 0600, directories that this package makes 0700. They hold
// events in the clear: give them to nobody who may not read the trail.
//
// # What can go wrong
//
// A full or read-only disk is an error of Write, and the spool works again once
// there is room. What a crash left half-written is cut off at the next start. A
// crash between the delivery of an event and the note of it repeats the
// delivery: the destination takes both for one event, as every auditing.Sink does.
//
// A record that was damaged on the disk is set aside and reported, and everything
// behind it is delivered. Where the disk refuses to read, the sender tries again;
// in the end it goes on with what can be read, and keeps the whole file in
// damaged/. The events in the unreadable part are then not delivered, and no
// longer counted as waiting: Options.OnDamage and the metrics tell of it. Once the
// file can be read, Requeue takes its name and puts its events into the queue again.
//
// Damage to the last record of a file looks like a write that a crash cut short,
// and is reported as torn, although its Write may have been confirmed. Nothing
// tells the two apart; the bytes are kept in damaged/ in both cases.
package spool
