package multi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Error says how each child fared with an event that did not meet the requirement.
// It stands in the *auditing.WriteError that Write returns and unwraps to the error of
// every child that failed, and to that of the context when it ended.
type Error struct {
	// Required is the policy that was not met, as "all".
	Required string
	// Succeeded, Failed and Pending name the children, in their order. Whether a
	// pending one stores the event is unknown.
	Succeeded, Failed, Pending []string

	causes []error // of Failed
	ended  error   // of the context, or nil
}

// Error lists the children that succeeded, that failed and why, and that were not done.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s was required", e.Required)
	for i, name := range e.Failed {
		fmt.Fprintf(&b, "; %s failed: %s", name, brief(e.causes[i]))
	}
	if len(e.Pending) > 0 {
		fmt.Fprintf(&b, "; pending: %s", strings.Join(e.Pending, ", "))
	}
	if len(e.Succeeded) > 0 {
		fmt.Fprintf(&b, "; succeeded: %s", strings.Join(e.Succeeded, ", "))
	}
	if e.ended != nil {
		fmt.Fprintf(&b, ": %v", e.ended)
	}
	return b.String()
}

// brief leaves out what the surrounding error repeats.
func brief(err error) string {
	if inner, ok := err.(*auditing.WriteError); ok { //nolint:errorlint // only the outermost repeats the event
		return fmt.Sprintf("%s: %s: %v", inner.Sink, inner.Class, inner.Err)
	}
	return err.Error()
}

// Unwrap returns the errors of the children that failed, and that of the context.
func (e *Error) Unwrap() []error {
	if e.ended == nil {
		return e.causes
	}
	return append(e.causes[:len(e.causes):len(e.causes)], e.ended)
}

// failure makes the error of event j, which does not meet the requirement.
func (f *fan) failure(ctx context.Context, outcomes []outcome, j int) error {
	s := f.stage
	e := &Error{Required: s.opts.Require.String(), ended: ctx.Err()}
	var pause time.Duration
	reachable := s.require.of
	for i, o := range outcomes {
		name, err := s.children[i].name, o.of(j)
		switch {
		case !o.done:
			e.Pending = append(e.Pending, name)
		case err == nil:
			e.Succeeded = append(e.Succeeded, name)
		default:
			e.Failed = append(e.Failed, name)
			e.causes = append(e.causes, err)
			class, after := driver.ClassOf(err)
			pause = max(pause, after)
			if driver.Final(class) && s.require.counts[i] {
				reachable--
			}
		}
	}
	switch {
	case reachable < s.require.need:
		return driver.Permanent(e)
	case e.ended != nil:
		return driver.WithClass(auditing.ClassTimeout, e)
	default:
		return driver.RetryAfter(e, pause)
	}
}
