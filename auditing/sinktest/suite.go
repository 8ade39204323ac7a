package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Clause is one promise of the contract of auditing.Sink or of driver.Driver, and the
// way to find out whether a sink keeps it.
type Clause struct {
	// Name is a sentence of which the sink is the subject: "stores the exact time".
	Name string
	// Explanation says what the clause asks for, why, and how a sink usually
	// comes to break it.
	Explanation string

	check func(p *probe) error
}

// Result is what one clause found.
type Result struct {
	// Clause that was checked.
	Clause Clause
	// Err is nil for a clause that is kept, or does not apply, and a *Violation otherwise.
	Err error
	// NotApplicable says why the clause cannot be asked of this sink; "" when it was.
	NotApplicable string
	// Notes are what a reader should know about how it was checked.
	Notes []string
}

// Violation is the error of a clause that a sink breaks.
type Violation struct {
	// Clause that is broken.
	Clause Clause
	// Err says what was seen.
	Err error
}

// Error names the clause, what was seen, and what the clause asks for.
func (v *Violation) Error() string {
	return fmt.Sprintf("not a sink that %q: %v\n\n%s", v.Clause.Name, v.Err, v.Clause.Explanation)
}

// Unwrap returns what was seen.
func (v *Violation) Unwrap() error { return v.Err }

// Clauses returns every clause, in the order in which the suite checks them.
func Clauses() []Clause {
	return slices.Concat(
		storedClauses, textClauses, statedClauses,
		errorClauses, invalidClauses, contextClauses,
		ownershipClauses, repeatClauses, batchClauses, closeClauses, goroutineClauses,
	)
}

// Check holds the sinks of h against this clause alone. It ends within a few
// times h.Patience, whatever the sink does; a Write that never returns leaves
// its goroutine behind.
func (c Clause) Check(ctx context.Context, h Harness) Result {
	p := &probe{h: h.withDefaults(), ctx: ctx}
	err := func() error {
		defer p.end()
		return c.check(p)
	}()
	result := Result{Clause: c, Notes: p.notes}
	var na *notApplicable
	switch {
	case errors.As(err, &na):
		result.NotApplicable = na.reason
	case err != nil:
		result.Err = &Violation{Clause: c, Err: err}
	}
	return result
}

// Check holds the sinks of h against every clause and joins a *Violation for
// each that they break. Where there is a *testing.T, Run says more.
func Check(ctx context.Context, h Harness) error {
	var errs []error
	for _, clause := range Clauses() {
		errs = append(errs, clause.Check(ctx, h).Err)
	}
	return errors.Join(errs...)
}

// Run holds the sinks of h against every clause, in a subtest each. Run it under
// -race: that is how a sink is caught that reads an event it no longer owns. A
// clause that cannot be asked of the sink passes and logs why.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, clause := range Clauses() {
		t.Run(clause.Name, func(t *testing.T) {
			result := clause.Check(t.Context(), h)
			for _, note := range result.Notes {
				t.Log(note)
			}
			if result.NotApplicable != "" {
				t.Logf("not applicable: %s", result.NotApplicable)
			}
			if result.Err != nil {
				t.Error(result.Err)
			}
		})
	}
}
