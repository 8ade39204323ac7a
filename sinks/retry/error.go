package retry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// maxCauses bounds how many different errors an Error keeps.
const maxCauses = 8

// Error says what became of all attempts at one event. It stands in the
// *auditing.WriteError that Write returns, and unwraps to the error of the last attempt and to up to
// 7 earlier ones that read differently.
type Error struct {
	// Attempts that were made, at least 1.
	Attempts int
	// Elapsed since the first attempt began.
	Elapsed time.Duration
	// GaveUp says why there was no further attempt; "" when the last error or the
	// end of the context says it.
	GaveUp string

	causes      []error // of the attempts, the latest one last; of those with the same text only the latest
	interrupted error   // what ended a pause, or nil
}

// Error says how many attempts were made in what time, and how they failed.
func (e *Error) Error() string {
	var b strings.Builder
	attempts := "attempts"
	if e.Attempts == 1 {
		attempts = "attempt"
	}
	fmt.Fprintf(&b, "%d %s in %v", e.Attempts, attempts, e.Elapsed.Round(time.Millisecond))
	if e.GaveUp != "" {
		b.WriteString(", " + e.GaveUp)
	}
	if e.interrupted != nil {
		b.WriteString(", then " + e.interrupted.Error())
	}
	between := ": "
	for _, cause := range e.latestFirst() {
		b.WriteString(between + brief(cause))
		between = "; before: "
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

// Unwrap returns the error of the last attempt, then the earlier ones, then what
// ended a pause.
func (e *Error) Unwrap() []error {
	all := e.latestFirst()
	if e.interrupted != nil {
		all = append(all, e.interrupted)
	}
	return all
}

// latestFirst returns the causes, the last one first, then the others in their order.
func (e *Error) latestFirst() []error {
	last := max(len(e.causes)-1, 0)
	return slices.Concat(e.causes[last:], e.causes[:last])
}

// add records an attempt and its error. Of errors with the same text it keeps
// the latest. When there are too many it drops the second: the first and the latest
// say most.
func (e *Error) add(err error) {
	e.Attempts++
	text := brief(err)
	e.causes = slices.DeleteFunc(e.causes, func(cause error) bool { return brief(cause) == text })
	if len(e.causes) == maxCauses {
		e.causes = slices.Delete(e.causes, 1, 2)
	}
	e.causes = append(e.causes, err)
}

// last returns the error of the last attempt.
func (e *Error) last() error { return e.causes[len(e.causes)-1] }

// classified marks e with the class of its last attempt.
func (e *Error) classified(ctx context.Context) error {
	class, asked := driver.ClassOf(e.last())
	switch {
	case errors.Is(e.interrupted, errClosed):
		class = auditing.ClassClosed
	case ctx.Err() != nil && !driver.Final(class):
		class = auditing.ClassTimeout
	case class == auditing.ClassTransient && asked > 0:
		return driver.RetryAfter(e, asked)
	}
	return driver.WithClass(class, e)
}
