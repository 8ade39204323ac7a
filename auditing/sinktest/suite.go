package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Clause is one promise of the contract of auditing.Sink or of driver.Driver, with a
// check of whether a sink keeps it.
type Clause struct {
	// Name is a sentence of which the sink is the subject: "stores the exact time".
	Name string
	// Explanation says what the clause asks for, why, and which mistake usually breaks it.
	Explanation string

	check func(p *probe) error
}

// Result is the result of checking one clause.
type Result struct {
	// Clause is the clause that was checked.
	Clause Clause
	// Err is nil for a clause that is kept, or does not apply, and a *Violation otherwise.
	Err error
	// NotApplicable says why the clause cannot be checked with this sink; "" when it was
	// checked.
	NotApplicable string
	// Notes say what was left out of the check, or done in another way.
	Notes []string
}

// Violation is the error of a clause that a sink breaks.
type Violation struct {
	// Clause is the clause that the sink breaks.
	Clause Clause
	// Err says what the sink did.
	Err error
}

// Error says which clause is broken, what the sink did, and what the clause asks for.
func (v *Violation) Error() string {
	return fmt.Sprintf("not a sink that %q: %v\n\n%s", v.Clause.Name, v.Err, v.Clause.Explanation)
}

// Unwrap returns Err.
func (v *Violation) Unwrap() error { return v.Err }

// Clauses returns every clause, in the order in which the suite checks them.
func Clauses() []Clause {
	return slices.Concat(
		storedClauses, textClauses, statedClauses,
		errorClauses, invalidClauses, contextClauses,
		ownershipClauses, repeatClauses, batchClauses, closeClauses, goroutineClauses,
	)
}

// Check tests the sinks of h against this clause alone. It returns within a few times
// h.Patience, whatever the sink does. The goroutine of a Write that never returns is
// left behind.
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

// Check tests the sinks of h against every clause. It returns a *Violation for each
// clause that they break, joined into one error, or nil. In a test, use Run, which
// reports more.
func Check(ctx context.Context, h Harness) error {
	var errs []error
	for _, clause := range Clauses() {
		errs = append(errs, clause.Check(ctx, h).Err)
	}
	return errors.Join(errs...)
}

// Run tests the sinks of h against every clause, each in a subtest. Run it under -race:
// only the race detector finds a sink that reads an event after Write has returned. A
// clause that cannot be checked with the sink passes, and logs why.
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
