// Package spool stores events on the local disk before it hands them on.
//
//	sink, err := spool.New("/var/lib/audit", lake, spool.Options{})
//
// Write returns once the event is in a file and fsynced (auditing.LevelDurable);
// writers that come at the same time share an fsync. A sender in the background
// hands the events to the next sink, and forgets one only when that sink stored it.
// So a component stays up while its destination is away, and nothing it was told is
// stored is lost when it is killed.
//
// # Order and failures
//
// The sender hands on what waits, oldest first, as many events at once as the next
// sink takes well. It learns what became of each:
//
//   - One that is refused for good becomes a dead letter. When all of a batch are
//     refused, each is tried by itself first.
//   - One that fails while a later one is stored is set aside and tried again by
//     itself, while the others go on. At most 256 are, or as many as one batch holds.
//     When there are more, the sender makes do with what is left of its batches.
//   - When all fail, or all behind a certain one, the destination may be away. They
//     stay in order and are tried again after a pause, fewer at once: half as many
//     after each failure, twice as many after each success. So when a whole request
//     fails because of one event, that one is found. When the oldest fails by itself
//     more than three times, a later one is tried beside it. If that one is stored,
//     the oldest is set aside.
//
// So events arrive in the order in which they were stored, except for those that are
// set aside, and for one that was tried beside the oldest. Options.Parallel above 1
// and a next sink that stores the events of a batch at once, such as kube, keep less
// of the order; every event carries its exact time.
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
// While an event is set aside, the note stays in front of it and its file is kept, so
// a crash then repeats what else is in such files.
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
