// Package spool stores events on the local disk before it hands them on.
//
//	sink, err := spool.New("/var/lib/audit", lake, spool.Options{})
//
// Write returns once the event is in a file and fsynced (auditing.LevelDurable). Writers
// that come at the same time share an fsync. Senders in the background hand the events to
// the next sink, and forget an event only when that sink has stored it. So a component
// stays up while its destination is away, and loses nothing that was confirmed to it when
// it is killed.
//
// # Order and failures
//
// A sender hands on what waits, oldest first, as many events at once as the next sink
// takes well. It learns what became of each:
//
//   - An event that is refused for good becomes a dead letter. One that is refused for want of
//     a right or of the resource is tried again for Options.BuryAfter first, and becomes one
//     sooner only when others are stored and too many are set aside. When all events of a batch
//     are refused, each is tried by itself first.
//   - An event that fails while a later one is stored is set aside and tried again by
//     itself, while the others go on. At most 256 events are set aside, or as many as one
//     batch holds. When there are more, the sender goes on with the rest of its batches.
//   - When all fail, or all behind a certain one, the destination may be away. They stay in
//     order and are tried again after a pause, fewer at once: half as many after each
//     failure, twice as many after each success. So when a whole request fails because of
//     one event, that event is found. When the oldest fails by itself more than three
//     times, a later one is tried beside it. If that is stored, the oldest is set aside.
//
// So events arrive in the order in which they were stored, except for those that are set
// aside or tried beside the oldest. Options.Parallel above 1, and a next sink that stores
// the events of a batch at once, such as kube, keep less of the order. Every event carries
// its exact time.
//
// # What lies in the directory
//
//	progress              up to which event everything is delivered
//	<number>.seg          the events that wait, in files of Options.SegmentBytes
//	dead/<id>.json        events that the next sink refused for good, with its reason
//	requeue/<id>.json     dead letters on their way back into the queue
//	damaged/<where>.bin   bytes in which no event could be found
//	damaged/<number>.seg  files that could not be read, or not be copied, in full
//	damaged/<name>.seg    files that only look like those of the spool
//
// The process that uses the directory has locked it with flock. A write fails when its file
// or the directory was moved or removed.
//
// Files have the mode 0600, and directories that this package makes 0700. They hold events
// in the clear: protect them as you protect the trail. Package internal/recordlog
// describes the format.
//
// # What can go wrong
//
// A full or read-only disk is an error of Write, and the spool works again once there is
// room. A crash between the delivery of an event and the note of it repeats the delivery,
// which every auditing.Sink takes for one event. While an event is set aside, its file and
// what was stored after it in the same file are delivered again after a crash.
//
// What a crash left half-written, and a record that was damaged on the disk, is copied to
// damaged/ and reported by New or when a sender comes to it, and everything behind it is delivered.
// Damage to the last record of a file, or to one of the last second before a crash, looks
// like a write that the crash cut short: it is reported as torn, although its Write may have
// been confirmed. Each stretch is reported once, and known again by its copy in damaged/.
//
// Where the disk refuses to read, the sender tries again. In the end it goes on with what
// can be read, and keeps the whole file in damaged/. The events in the unreadable part are
// not delivered, and no longer count as waiting: Options.OnDamage and the metrics tell of
// it. Once the file can be read, Requeue takes its name and puts its events into the queue
// again.
package spool
