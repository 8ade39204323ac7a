// Package otlp writes audit events to an OpenTelemetry Collector, or to any other receiver of
// OTLP logs over HTTP (protobuf), and waits for its answer: nil from Write means that the
// receiver answered 200 and rejected nothing.
//
//	sink, err := otlp.New("http://collector:4318", otlp.Options{Component: "broker"})
//	if err != nil {
//		return err
//	}
//	defer sink.Close(ctx)
//	if err := sink.Check(ctx); err != nil { // reachable, speaks OTLP, takes these credentials
//		return err
//	}
//
// Writers share requests: an event that comes alone is sent at once, and events that come while
// a request is under way share the next one.
//
// # What a 200 is worth
//
// Only the receiver's configuration says that. A collector with its default queue, or with
// a batch processor, answers from its memory, and loses what it has confirmed when it is killed. So the level
// is auditing.LevelAccepted unless Options.Level states more, and a fail-closed component needs
// more. A spool in front does not help: it forgets an event once Write has returned nil.
//
// # What an answer means
//
// The sink itself sends a request once, and judges the answer by the protocol:
//
//	200, nothing rejected      stored; an empty body says so as well
//	200, a message alone       stored, and Options.OnWarning hears the message
//	200, all rejected          permanent, with the receiver's words
//	200, some rejected         permanent for all: which are rejected is not said; but see
//	                           Options.ResendPartial
//	200, a body that is no OTLP, and any other 2xx: transient, the outcome is unknown
//	429, 502, 503, 504, 408 and lost connections: transient, with the pause of Retry-After
//	400, 422, 500 and any other 5xx: permanent
//	413                        sent again in halves; permanent for an event that is alone
//	3xx, 401, 403, 404 and any other 4xx: transient for Options.RefusalGrace, then permanent
//
// No redirect is followed.
//
// # What is sent
//
// A request has one resource, with service.name and Options.ResourceAttributes. A record has
//
//	time_unix_nano           the event's time, and the same as its observed time
//	severity                 INFO for granted, WARN for warned and denied
//	event_name               the kind, as audit.egress-block
//	body                     the event as JSON, a string: this is the record of the event, the rest is for selecting
//	trace_id, span_id        those of the event
//	log.record.uid           namespace/name of the event, by which backends and readers fold repeats
//	event, namespace, component, kind, decision, run, user, request_id
//	                         attributes under the names that package loki gives them, so that
//	                         a query finds an event by whichever protocol it came
//
// All of it follows from the event and the Options, so a retry has the same bytes, from whatever
// process. A receiver recognises no repeat: readers fold by log.record.uid, or by namespace and event. A time that
// nanoseconds since 1970 cannot tell is left out, and stands in the attribute event_time.
//
// VictoriaLogs takes OTLP as well, and drops without a word what is older than it keeps. Package loki knows that server's bounds
// and waits for its disk, if asked: prefer it there.
package otlp
