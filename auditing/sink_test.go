package auditing

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// bareSink has nothing but Write.
type bareSink struct{ err error }

func (s bareSink) Write(context.Context, *v1alpha1.AuditEvent) error { return s.err }

// fullSink has everything that a Sink may have.
type fullSink struct {
	bareSink
	closed *bool
}

func (fullSink) Level() Level   { return LevelAcknowledged }
func (fullSink) String() string { return "full" }
func (s fullSink) Close(context.Context) error {
	*s.closed = true
	return errRefused
}

func TestLevelIsReadFromItsName(t *testing.T) {
	for want := LevelNone; want <= LevelAcknowledged; want++ {
		var got Level
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Errorf("%s is read as %s: %v", want, got, err)
		}
	}
	var level Level
	if err := level.UnmarshalText([]byte("level(7)")); err == nil || level != LevelNone {
		t.Errorf("a name of no level is read as %s: %v", level, err)
	}
}

func TestASinkThatStatesNoLevelPromisesNone(t *testing.T) {
	for _, c := range []struct {
		sink  Sink
		level Level
		chain string
	}{
		{nil, LevelNone, "<nil>"},
		{bareSink{}, LevelNone, "auditing.bareSink"},
		{fullSink{}, LevelAcknowledged, "full"},
		{NoopSink{}, LevelNone, "noop"},
		{FailOpen(fullSink{}, nil), LevelNone, "failopen(full)"},
		{FailOpen(FailOpen(NoopSink{}, nil), nil), LevelNone, "failopen(failopen(noop))"},
		{FailOpen(nil, nil), LevelNone, "failopen(<nil>)"},
	} {
		if level, chain := LevelOf(c.sink), Chain(c.sink); level != c.level || chain != c.chain {
			t.Errorf("%T: level %s, chain %s, want %s, %s", c.sink, level, chain, c.level, c.chain)
		}
	}
}

func TestLevelsAreOrderedAndPrintTheirNames(t *testing.T) {
	want := []string{"none", "accepted", "durable", "acknowledged", "level(4)"}
	for i, name := range want {
		if got := Level(i).String(); got != name {
			t.Errorf("level %d is %q, want %q", i, got, name)
		}
	}
	if LevelNone >= LevelAccepted || LevelAccepted >= LevelDurable || LevelDurable >= LevelAcknowledged {
		t.Error("a safer level is not the higher one")
	}
}

func TestCloseReachesTheSinkBehindAFailOpenOne(t *testing.T) {
	closed := false
	if err := Close(t.Context(), FailOpen(fullSink{closed: &closed}, nil)); !errors.Is(err, errRefused) || !closed {
		t.Errorf("closed %v, error %v", closed, err)
	}
	for _, s := range []Sink{nil, bareSink{}, NoopSink{}, FailOpen(nil, nil), FailOpen(bareSink{}, nil)} {
		if err := Close(t.Context(), s); err != nil {
			t.Errorf("%s: %v", Chain(s), err)
		}
	}
}

func TestANoopSinkLeavesTheEventAsItIs(t *testing.T) {
	ae := NewEgressBlock(egressInput)
	before := indented(t, ae)
	if err := (NoopSink{}).Write(t.Context(), ae); err != nil || indented(t, ae) != before {
		t.Errorf("error %v, event %s", err, indented(t, ae))
	}
	if err := (NoopSink{}).Write(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAFailOpenSinkReportsTheFailureAndReturnsNil(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	ae := NewEgressBlock(egressInput)
	calls := 0
	onError := func(got context.Context, event *v1alpha1.AuditEvent, err error) {
		calls++
		if got.Value(key{}) == nil || event != ae || !errors.Is(err, errRefused) {
			t.Errorf("onError is handed %v, %p, %v", got, event, err)
		}
	}
	if err := FailOpen(bareSink{errRefused}, onError).Write(ctx, ae); err != nil || calls != 1 {
		t.Errorf("error %v, onError called %d times", err, calls)
	}
	if err := FailOpen(bareSink{}, onError).Write(ctx, ae); err != nil || calls != 1 {
		t.Errorf("after a success: error %v, onError called %d times", err, calls)
	}
	if err := FailOpen(bareSink{errRefused}, nil).Write(ctx, ae); err != nil {
		t.Error(err)
	}
}

func TestAFailOpenSinkOverNothingReportsThatAndCounts(t *testing.T) {
	var reported error
	s := FailOpen(nil, func(_ context.Context, _ *v1alpha1.AuditEvent, err error) { reported = err })
	ae := NewEgressBlock(egressInput)
	ae.Labels[v1alpha1.LabelComponent] = "failopen-over-nothing"
	if err := s.Write(t.Context(), ae); err != nil {
		t.Error(err)
	}
	var failed *WriteError
	if !errors.As(reported, &failed) || failed.Sink != "failopen" || failed.Class != ClassPermanent ||
		!errors.Is(reported, errNilSink) || !errors.Is(reported, ErrAuditWrite) {
		t.Errorf("reported %+v", failed)
	}
	for _, name := range []string{"paddock_audit_events_total", "paddock_audit_write_failures_total"} {
		if got := counted(t, name, "failopen-over-nothing"); got != 1 {
			t.Errorf("%s: counted %v times", name, got)
		}
	}
	if err := s.Write(t.Context(), nil); err != nil || !errors.Is(reported, errNilSink) {
		t.Errorf("a nil event: error %v, reported %v", err, reported)
	}
}

func TestCheckAsksTheSinkWhereItCanTell(t *testing.T) {
	for _, c := range []struct {
		sink Sink
		want error
	}{
		{nil, nil},
		{bareSink{errRefused}, nil},
		{NoopSink{}, nil},
		{checkedSink{}, errRefused},
		{FailOpen(checkedSink{}, nil), errRefused},
		{FailOpen(bareSink{}, nil), nil},
		{FailOpen(nil, nil), errNilSink},
	} {
		if err := Check(t.Context(), c.sink); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", Chain(c.sink), err, c.want)
		}
	}
}

// checkedSink says that its destination is not there.
type checkedSink struct{ bareSink }

func (checkedSink) Check(context.Context) error { return errRefused }

func TestRegisteredKindsCountUnderTheirNames(t *testing.T) {
	if err := RegisterKinds("kind-of-a-test"); err != nil {
		t.Fatal(err)
	}
	if err := RegisterKinds("Not a label"); err == nil {
		t.Error("no error for a kind that is no DNS label")
	}
	ae := NewEvent(EventInput{Kind: "kind-of-a-test", Decision: v1alpha1.AuditDecisionDenied})
	_ = FailOpen(nil, nil).Write(t.Context(), ae)
	if got := counted(t, "paddock_audit_events_total", "kind-of-a-test"); got != 1 {
		t.Errorf("counted %v times", got)
	}
}

// counted sums the series of a metric that have a label of that value.
func counted(t *testing.T, metric, value string) (sum float64) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := RegisterMetrics(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metric && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == value }) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
