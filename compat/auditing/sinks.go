package auditing

import (
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/kube"
)

// ErrAuditWrite is auditing.ErrAuditWrite, which is in the chain of every error of Write.
var ErrAuditWrite = auditing.ErrAuditWrite

type (
	// Sink is auditing.Sink.
	Sink = auditing.Sink
	// KubeSink is kube.Sink. It is used with named fields, as a value or by its address.
	KubeSink = kube.Sink
	// NoopSink is auditing.NoopSink, which drops every event.
	NoopSink = auditing.NoopSink
)
