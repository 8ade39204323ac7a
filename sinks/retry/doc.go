// Package retry tries a write again while another attempt may succeed.
//
//	sink, err := retry.New(kube.Sink{Client: c}, retry.Options{Within: 10 * time.Second})
//
// The event is identified before the first attempt, so that however many of them
// reach the destination it holds the event once. An attempt that gets no answer
// is cut off after Options.Timeout; a pause that the destination asked
// for is kept; all of it stays within the caller's deadline and Options.Within.
//
// Errors of class permanent, invalid and closed return at once. The error that is
// returned in the end says how many attempts were made in what time, and unwraps
// to the errors of the attempts.
//
// A component writes behind its own deadline, so put retry next to the
// destination, inside of what fans out or collapses: multi[retry(kube), ...].
package retry
