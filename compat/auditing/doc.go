// Package auditing has the names of a package of its own that wraps client.Create: a
// program that moves to this library changes the import path, and its call sites stay as
// they are. New code uses packages auditing and sinks/kube, whose types these are.
//
//	import "github.com/paddock-dev/audit/compat/auditing"
//
//	sink := &auditing.KubeSink{Client: mgr.GetClient(), Component: "broker"}
//
// Types are aliases and ErrAuditWrite is the same value, so that code with the old names and
// code with the new ones can share sinks, events and errors while a program moves.
//
// What changes with the import path, although everything compiles, is in docs/migrating.md.
// Importing this package registers the audit metrics with controller-runtime's registry, as
// sinks/kube does.
package auditing
