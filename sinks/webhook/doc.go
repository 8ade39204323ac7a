// Package webhook sends audit events to an HTTP receiver of one's own, as CloudEvents 1.0
// that are signed by Standard Webhooks.
//
//	sink, err := webhook.New("https://receiver.example/audit", webhook.Options{
//		Component:   "broker",
//		Level:       auditing.LevelAcknowledged, // the receiver stores events before it answers
//		SecretsFile: "/var/run/secrets/webhook/secrets",
//	})
//
// The example of a receiver shows the other side, with nothing but the standard library.
//
// # What is sent
//
// Options.Mode says how events are put into requests: one event each (structured or binary), or
// all that wait at the same time (batch). The attributes of an event are these:
//
//   - id is its name, and source Options.Source with its namespace and component, as in
//     "/audit/namespaces/team-a/components/broker". Together they are the event's alone.
//   - type is dev.paddock.audit.KIND.v1alpha1, whose last part is the version of the data.
//   - subject is the run that the decision concerns, where there is one.
//   - time is when the decision was made, to the nanosecond.
//   - The extensions component and decision are for routing.
//   - data is the event as JSON, of application/json.
//
// An event that is sent again has the same bytes.
//
// The header webhook-id is namespace/name of an event that is sent alone. It is a
// hash of these for several events, and for a name with a full stop, which an id must not have.
// webhook-timestamp is the time of the attempt, and webhook-signature has a signature by each
// secret of the Options.
//
// # What an answer is worth
//
// 200, 201 and 204 say that the receiver has processed the events, and 202 that it only has
// accepted them. Whether processed means stored, only those know who run the receiver. So the level
// is accepted unless Options.Level states acknowledged, and then 202 is an error. Any other 2xx is
// an error as well.
//
// No answer, 408, 425, 429 and 5xx are transient, and nothing is sent before the time that an
// answer with Retry-After asks for. 400, 413, 415 and 422 refuse the events, permanently; a batch
// is first sent again in halves. Answers that refuse the sink itself, such as 401, 403, 404
// and redirects, which are not followed, are transient for Options.RefusalGrace and then permanent.
// 410 says that the receiver wants no more: every write fails from then on, permanently and without a request,
// until the sink is made anew.
//
// # What a receiver has to do
//
// It checks the signature over the bytes of the body, in constant time, and that the timestamp is
// within some minutes of its own clock. It stores events, syncs them, and only then answers 204. It
// recognises an event that it holds already by source and id, since whatever was not confirmed
// may be sent again, also in another batch. It takes bodies of 4 MiB: a batch has about 1 MiB, and
// an event whose details and annotations are all as long as they can be has more.
package webhook
