package sinktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

// clauseNamed returns the clause of that name.
func clauseNamed(t *testing.T, name string) sinktest.Clause {
	t.Helper()
	for _, clause := range sinktest.Clauses() {
		if clause.Name == name {
			return clause
		}
	}
	t.Fatalf("no clause %q", name)
	return sinktest.Clause{}
}

func TestMissingFaultIsAViolationWithoutAReason(t *testing.T) {
	accepted := recorders()
	acknowledged := flaw{}.harness(nil)
	for name, tt := range map[string]struct {
		harness       sinktest.Harness
		reason        string
		violation     string
		notApplicable string
	}{
		"no reason":                       {accepted, "", "say in Cannot", ""},
		"a reason, and a level in memory": {accepted, "it only appends", "", "it only appends"},
		"a reason, and a higher level":    {acknowledged, "it only appends", "the sink is acknowledged", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := tt.harness
			h.Failing, h.CannotFail = nil, tt.reason
			h.Hanging, h.CannotHang = nil, tt.reason
			for _, clause := range []string{
				"keeps the cause of an error", "returns when its context is cancelled",
				"returns when its deadline passes", "ends Close with its context",
			} {
				result := clauseNamed(t, clause).Check(t.Context(), h)
				if result.NotApplicable != tt.notApplicable {
					t.Errorf("%s: not applicable: %q, want %q", clause, result.NotApplicable, tt.notApplicable)
				}
				switch {
				case tt.violation == "" && result.Err != nil:
					t.Error(result.Err)
				case tt.violation != "" && (result.Err == nil || !strings.Contains(result.Err.Error(), tt.violation)):
					t.Errorf("%s: %v, want an error with %q", clause, result.Err, tt.violation)
				}
			}
		})
	}
}

// unclosed is a Recorder without its Close.
type unclosed struct{ recorder *sinktest.Recorder }

func (u unclosed) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	return u.recorder.Write(ctx, ae)
}
func (u unclosed) Level() auditing.Level { return u.recorder.Level() }
func (u unclosed) String() string        { return u.recorder.String() }

func TestCloseClausesDoNotApplyToASinkWithoutClose(t *testing.T) {
	harness := recorders()
	inner, hanging := harness.New, harness.Hanging
	harness.New = func(ctx context.Context) (sinktest.Subject, error) {
		subject, err := inner(ctx)
		subject.Sink = unclosed{subject.Sink.(*sinktest.Recorder)}
		return subject, err
	}
	harness.Hanging = func(ctx context.Context) (sinktest.Fault, error) {
		fault, err := hanging(ctx)
		fault.Sink = unclosed{fault.Sink.(*sinktest.Recorder)}
		return fault, err
	}
	n := 0
	for _, clause := range sinktest.Clauses() {
		result := clause.Check(t.Context(), harness)
		if result.Err != nil {
			t.Error(result.Err)
		}
		if result.NotApplicable != "" {
			n++
			if result.NotApplicable != "the sink has no Close" {
				t.Errorf("%s: not applicable: %s", clause.Name, result.NotApplicable)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d clauses do not apply, want the 5 of Close", n)
	}
}

func TestEmptyHarnessBreaksEveryClauseWithoutAPanic(t *testing.T) {
	broken := func(context.Context) (sinktest.Fault, error) { return sinktest.Fault{}, errDisk }
	nothing := func(context.Context) (sinktest.Fault, error) { return sinktest.Fault{}, nil }
	for name, h := range map[string]sinktest.Harness{
		"the zero Harness": {},
		"constructors that fail": {
			New:     func(context.Context) (sinktest.Subject, error) { return sinktest.Subject{}, errDisk },
			Failing: broken, Hanging: broken,
		},
		"constructors that give nothing": {
			New:     func(context.Context) (sinktest.Subject, error) { return sinktest.Subject{}, nil },
			Failing: nothing, Hanging: nothing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, clause := range sinktest.Clauses() {
				if clause.Check(t.Context(), h).Err == nil {
					t.Errorf("%q passes", clause.Name)
				}
			}
		})
	}
}

func TestCheckJoinsOneViolationForEachBrokenClause(t *testing.T) {
	h := recorders()
	if err := sinktest.Check(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	h.New = func(context.Context) (sinktest.Subject, error) { return sinktest.Subject{}, errDisk }
	err := sinktest.Check(t.Context(), h)
	var violation *sinktest.Violation
	if !errors.As(err, &violation) || !errors.Is(err, errDisk) || violation.Clause.Name != sinktest.Clauses()[0].Name {
		t.Errorf("got %v, want the *Violation of the first clause with its cause", err)
	}
}
