// Package httpdriver is for the authors of destinations that take events over HTTP. A Client
// posts the bytes that the author makes of events, and says what the answer is worth.
//
// # What an answer means
//
// An answer has a Verdict, which says what is known of the events of the request. It
// follows from the status:
//
//	200, 201, 204             Stored
//	202 and any other 2xx     Unclear: the server confirms nothing
//	400, 413, 422             Refused: the events, so that another attempt would fail as well
//	408, 429, 5xx             Unclear: another attempt may succeed
//	3xx and any other 4xx     RefusedSender: NotStored for Options.RefusalGrace, and then Refused
//	no answer                 NotSent if no connection was made, otherwise Unclear
//
// A destination that sees a status in another way says so in Options.Judge. Answer.Err has the
// class that follows: none for Stored, auditing.ClassPermanent for Refused, and otherwise
// auditing.ClassTransient with the pause that the server asked for (Retry-After). It is of
// auditing.ClassClosed when Close has ended the request. When the caller's context has, it
// wraps the cause of that and has no class of its own.
//
// # What a Client takes care of
//
// No redirect is followed, because another host would get the credentials. 101 is no
// answer. Answers are bounded in size and in time. No error holds a credential, a header,
// a part of a password that the server repeats in its answer, or the query of the address. What
// the server writes is escaped before an error quotes it.
package httpdriver
