package verify_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/verify"
)

// without returns the events but for those of some indices of a trail that has every index stored.
func without(s *sealer, from, to int) []*v1alpha1.AuditEvent {
	return slices.Concat(s.stored[:from], s.stored[to:])
}

func TestAPlaceThatLacksEventsIsNamed(t *testing.T) {
	r := newRoot(t)
	closed, open := newSealer(t, r, "broker"), newSealer(t, r, "broker")
	for _, s := range []*sealer{closed, open} {
		s.write(5)
		s.checkpoint(canonical.KindTrailCheckpoint)
		s.write(3)
	}
	closed.close()
	lackOf := func(s *sealer, place string) *sealer {
		s.lacks = []trail.Lack{{Trail: s.id, Ranges: trail.Ranges{{From: 2, To: 4}}, Place: place}}
		s.checkpoint(canonical.KindTrailCheckpoint)
		return s
	}
	named, other := newSealer(t, r, "broker"), newSealer(t, r, "broker")
	for _, s := range []*sealer{named, other} {
		s.write(5)
	}
	lackOf(named, "b")
	lackOf(other, "c")
	for name, c := range map[string]struct {
		held    places
		options verify.Options
		verdict verify.Verdict
		codes   []verify.Code
	}{
		"a closed trail":            {places{"a": closed.stored, "b": without(closed, 2, 4)}, verify.Options{}, verify.Tampered, []verify.Code{verify.CodeMissing}},
		"a trail without an end":    {places{"a": open.stored, "b": without(open, 2, 4)}, verify.Options{}, verify.Undetermined, []verify.Code{verify.CodeMissing}},
		"a place that holds a part": {places{"a": closed.stored, "b": without(closed, 2, 4)}, verify.Options{Partial: []string{"b"}}, verify.Intact, nil},
		"it is known to lack them":  {places{"a": named.stored, "b": without(named, 2, 4)}, verify.Options{}, verify.Intact, nil},
		"another one lacks them":    {places{"a": other.stored, "b": without(other, 2, 4)}, verify.Options{}, verify.Undetermined, []verify.Code{verify.CodeMissing}},
		"it alone, and all know":    {places{"b": without(named, 2, 4)}, verify.Options{}, verify.Intact, nil},
		"it alone, another lacks":   {places{"b": without(other, 2, 4)}, verify.Options{}, verify.Undetermined, []verify.Code{verify.CodeLost}},
		"both lack them":            {places{"a": without(named, 2, 4), "b": without(named, 2, 4)}, verify.Options{}, verify.Tampered, []verify.Code{verify.CodeDeleted}},
	} {
		t.Run(name, func(t *testing.T) {
			mustFindOnly(t, report(t, r, c.held, c.options), c.verdict, c.codes...)
		})
	}
}

// The second of two places took nothing of the broker from some moment on, and went on for the proxy,
// whose checkpoints tell how far the broker is.
func TestAPlaceThatLostOneComponentLooksCutAlone(t *testing.T) {
	r := newRoot(t)
	broker, proxy := newSealer(t, r, "broker"), newSealer(t, r, "proxy")
	broker.write(3)
	broker.checkpoint(canonical.KindTrailCheckpoint)
	stored := len(broker.stored)
	broker.write(3)
	broker.close()
	proxy.tell(broker)
	proxy.close()
	whole, lost := slices.Concat(broker.stored, proxy.stored), slices.Concat(broker.stored[:stored], proxy.stored)
	mustFindOnly(t, report(t, r, places{"best-effort": lost}, verify.Options{}), verify.Tampered, verify.CodeTailCut)
	mustFindOnly(t, report(t, r, places{"required": whole, "best-effort": lost}, verify.Options{}), verify.Intact)
	mustFindOnly(t, report(t, r, places{"best-effort": broker.stored[:stored]}, verify.Options{}), verify.Intact)
}

func TestWhatIsWrittenWhileReadingIsNotMissed(t *testing.T) {
	r := newRoot(t)
	s, by := newSealer(t, r, "broker"), newSealer(t, r, "proxy")
	s.write(3)
	began := s.clock.Add(time.Millisecond)
	s.write(3)
	s.checkpoint(canonical.KindTrailCheckpoint)
	*by.clock = *s.clock
	by.heads = []trail.SignedHead{s.sign(trail.Head{Origin: s.origin(), Size: 100})}
	by.checkpoint(canonical.KindTrailCheckpoint)
	held := places{"a": slices.Concat(without(s, 4, 6), by.stored)}
	mustFindOnly(t, report(t, r, held, verify.Options{Before: began}), verify.Intact)
	mustFindOnly(t, report(t, r, held, verify.Options{}), verify.Tampered, verify.CodeDeleted, verify.CodeTailCut)
}

func TestWhatOnePlaceHasUnreadableIsNotMissing(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.write(3)
	s.close()
	spoilt := lines(s.stored)
	spoilt[2] = bytes.Replace(spoilt[2], []byte(`"spec":{`), []byte(`"spec":{"x":1,`), 1)
	v := verify.New(r.trust(t), verify.Options{})
	err := v.Read(t.Context(), file(t, "a", s.stored), reading.FilesWithInput("b", bytes.NewReader(bytes.Join(spoilt, nil)), "-"))
	if err != nil {
		t.Fatal(err)
	}
	got := v.Report()
	mustFindOnly(t, got, verify.Tampered, verify.CodeUnreadable)
	if f := got.Findings[0]; f.Index != 2 || f.Place != "b" {
		t.Errorf("%+v", f)
	}
}

func TestComponentsThatAreAbsentAreNoted(t *testing.T) {
	r := newRoot(t)
	got := report(t, r, places{"a": newSealer(t, r, "broker").stored}, verify.Options{})
	if f := got.Findings; len(f) != 1 || f[0].Code != verify.CodeAbsent || f[0].Level != verify.LevelNote || got.Verdict != verify.Intact {
		t.Errorf("%+v", f)
	}
}

func TestTroubleOfSourcesIsFound(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.close()
	for name, c := range map[string]struct {
		err   error
		code  verify.Code
		level verify.Level
	}{
		"failed":        {&reading.Failed{Source: "a", Err: errors.New("no route")}, verify.CodeSourceFailed, verify.LevelUndetermined},
		"unfinished":    {&reading.Foreign{Source: "a", Count: 1, Err: reading.ErrUnfinished}, verify.CodeUnfinished, verify.LevelNote},
		"damaged":       {&reading.Foreign{Source: "a", Count: 1, Err: errors.New("bad JSON")}, verify.CodeUnreadable, verify.LevelUndetermined},
		"other program": {&reading.Foreign{Source: "a", Count: 1}, verify.CodeUnreadable, verify.LevelNote},
	} {
		v := verify.New(r.trust(t), verify.Options{})
		for _, ae := range s.stored {
			v.Add(reading.NewRecord(ae, "a", ""))
		}
		v.Trouble("a", c.err)
		f := slices.DeleteFunc(v.Report().Findings, func(f verify.Finding) bool { return f.Code == verify.CodeAbsent })
		if len(f) != 1 || f[0].Code != c.code || f[0].Level != c.level || f[0].Place != "a" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
