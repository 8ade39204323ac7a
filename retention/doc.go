// Package retention deletes AuditEvents from the API server when their time is
// over: after 30 days where nothing is said, sooner or later for a namespace or a
// kind, and never in the first day after an event was stored.
//
//	reaper, err := retention.New(mgr.GetConfig(), policy, retention.Options{Archive: lake})
//	err = mgr.Add(reaper)
//
// Use the program cmd/audit-reaper where you deploy something for this; add a
// Reaper to a manager that you run anyway; call Pass from a job; call Preview to
// see what would go.
//
// A pass reads all events in pages of 25, through a client of its own and never
// through a cache, and holds one page. An event's own time decides (see
// auditing.EventTime), read from its spec, which nobody can change. A delete
// names the object's UID and resource version, so that it takes the very object
// that was looked at. The API server's clock decides, and a reaper whose own clock is
// more than MaxSkew away from it deletes nothing. A reaper can be killed at any point and started again. Two
// with the same policy at once do no harm; of two with different ones, Options.Namespace
// lets one work.
//
// With an Archive, an event is deleted once the archive has confirmed it, and stays
// otherwise. After a crash between the two steps it is archived again, under the same
// name and with the same times and component. A Loki
// that is an archive should take old entries (reject_old_samples: false), so that
// they stand at their own time.
//
// With Tombstones, sealed events are deleted once an event that names them is stored, and
// covered by a signed checkpoint. A pass then gathers some 1,000 of them, of which it holds
// names and seals. The checkpoints of sealed trails are kept longer than all other events.
package retention
