// Package flood keeps a workload that is refused a thousand times a second from
// drowning the trail, and loses no count.
//
//	sink, err := flood.New(retry, flood.Options{Component: "proxy"})
//
// Of the events of one component, namespace, run, kind and decision the first
// goes through at once. Those that follow within Options.Window wait, and go as
// one summary at its end: how many they were, when the first and the last were
// decided, up to three of their destinations, and what they have in common. A
// summary of egress-block is an egress-block-summary; others keep their kind. An
// event that waited alone goes as itself.
//
// A writer whose event was collapsed waits for its summary and shares the
// outcome, so nil means what it means without this stage. The counts in the
// destination add up to the successful writes:
//
//   - A writer that gives up before its summary is sent is taken out of it. One
//     that gives up later cannot know; writing the event again finds out.
//   - A summary is named once. When it fails, its events written again send the
//     same summary again, never a second one that the destination might count as
//     well. So the event of a writer that failed for good may be counted after
//     all, as with any destination that answered too late.
//   - An event that has been written already is not counted again, for as long as
//     it is remembered: Options.Remember.
//
// Kinds of Options.StandAlone are never collapsed, nor limited. What else goes
// through, events and summaries, a token bucket for each component limits to
// Options.Rate. Only when it is empty are events of different runs collapsed,
// each namespace, kind and decision still apart. What has no room even then is
// refused with class full: nothing is dropped in silence.
//
// Put flood before what makes events durable and before retry:
// flood(spool(retry(kube))). Behind a spool, each batch of its backlog would wait for
// summaries before the next is sent.
package flood
