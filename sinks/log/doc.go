// Package log writes audit events to a structured log: one JSON line an event,
// through zap's core.
//
// A line is the event in its own JSON shape beside the keys that zap adds, so
// json.Unmarshal of a line into a v1alpha1.AuditEvent gives the event back:
//
//	{"level":"error","ts":"2026-03-01T10:00:00.25Z","logger":"audit","msg":"egress-block",
//	 "apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent","metadata":{...},"spec":{...}}
//
// The level follows the decision: granted is info, warned is warn, denied is
// error. ts is the time of the decision and not of the writing, and maps are in
// the order of their keys, so the same event always gives the same bytes and a
// reader folds repeats with sort -u. What only an API server sets (uid,
// resourceVersion, managed fields) is left out for the same reason.
//
// NewFile writes to a file with rotation, Stdout, Stderr and NewWriter to what
// is open already, and New to the zap core of a program that logs with zap.
//
// zap's Logger drops what its level or its sampler suppresses, and swallows the
// error of a write. For an audit event both are errors here.
package log
