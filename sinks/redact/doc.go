// Package redact keeps private texts out of every destination.
//
//	sink, err := redact.New(next, redact.Options{
//		Rules: []redact.Rule{
//			{Fields: []string{"spec.actor.*", "spec.runRef.name"}, Action: redact.HMAC},
//			{Fields: []string{"*"}, Pattern: `ghp_[A-Za-z0-9]{36}`, Action: redact.Mask},
//		},
//		Keys: []redact.Key{{ID: "2026", Secret: secret}},
//	})
//
// The stage hands redacted copies of its events to the next sink: same name, namespace,
// time, component, kind and decision, other texts. The rules apply in their order, each
// to the text that those before it left.
//
// A hash is "hmac.", the ID of its key, a dot, and the first 128 bits of HMAC-SHA256 of
// the text as 32 hexadecimal digits. Equal texts have equal hashes under one key, so
// that events can be counted and found by a hash, and nobody without the key can find
// out whether a hash is that of a text. It is the value of a label too, so a hashed run
// is selected by the label paddock.dev/run as any other.
//
// The key of an event is chosen by the time of the event. A retry of an event across a
// rotation of keys is the same event.
//
// Put redact in front of everything else: redact(flood(spool(retry(kube)))). What stands
// before it, a spool above all, holds the event as its writer made it. An event that
// passes two redactions is redacted twice: the second takes the hashes of the first for
// texts.
//
// docs/redaction.md says which fields may hold personal data, how to search for a
// hashed value, how to erase, and what stays outside.
package redact
