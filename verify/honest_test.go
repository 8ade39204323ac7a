package verify_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/texts"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/verify"
)

// places are events by the name of the place that has them.
type places map[string][]*v1alpha1.AuditEvent

// report verifies what places hold.
func report(t *testing.T, r *root, held places, o verify.Options) *verify.Report {
	t.Helper()
	v := verify.New(r.trust(t), o)
	for place, events := range held {
		for _, ae := range events {
			v.Add(reading.NewRecord(ae, place, ""))
		}
	}
	return v.Report()
}

// mustFindOnly fails unless the findings above notes are of these codes, each at least once.
func mustFindOnly(t *testing.T, got *verify.Report, want verify.Verdict, codes ...verify.Code) {
	t.Helper()
	var found []verify.Code
	for _, f := range got.Findings {
		if f.Level != verify.LevelNote && !slices.Contains(found, f.Code) {
			found = append(found, f.Code)
		}
	}
	slices.Sort(found)
	slices.Sort(codes)
	if got.Verdict != want || !slices.Equal(found, codes) {
		t.Errorf("verdict %s with %v, want %s with %v", got.Verdict, found, want, codes)
		for _, f := range got.Findings {
			t.Logf("%+v", f)
		}
	}
}

func TestHonestTrailsAreIntact(t *testing.T) {
	r := newRoot(t)
	for name, make := range map[string]func(s *sealer) places{
		"closed": func(s *sealer) places {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.write(3)
			s.close()
			return places{"a": s.stored}
		},
		"killed": func(s *sealer) places {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.write(3)
			return places{"a": s.stored}
		},
		"only opened": func(s *sealer) places { return places{"a": s.stored} },
		"repeats":     func(s *sealer) places { s.write(5); s.close(); return places{"a": slices.Concat(s.stored, s.stored)} },
		"failed": func(s *sealer) places {
			s.write(5)
			s.failed.Add(s.skip())
			s.write(2)
			s.close()
			return places{"a": s.stored}
		},
		"unclear": func(s *sealer) places {
			s.write(5)
			s.unclear.Add(s.skip())
			s.write(2)
			s.close()
			return places{"a": s.stored}
		},
		"unresolved": func(s *sealer) places {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.skip()
			s.make(canonical.KindTrailCheckpoint)
			return places{"a": s.stored}
		},
		"unclear, and there": func(s *sealer) places { s.write(5); s.unclear.Add(5); s.close(); return places{"a": s.stored} },
		"a checkpoint that was not stored": func(s *sealer) places {
			s.write(5)
			s.make(canonical.KindTrailCheckpoint)
			s.failed.Add(int64(len(s.all)) - 1)
			s.write(5)
			s.close()
			return places{"a": s.stored}
		},
		"a certificate that comes later": func(s *sealer) places {
			other := *s
			other.id, other.all, other.stored, other.cert, other.from, other.settled = trail.NewID(), nil, nil, "", 0, 0
			var err error
			if other.signer, other.key, err = trail.NewKey(other.origin()); err != nil {
				t.Fatal(err)
			}
			other.checkpoint(canonical.KindTrailOpened)
			other.write(3)
			other.certify(r, noon, noon.AddDate(0, 0, 1))
			other.close()
			return places{"a": other.stored}
		},
		"two places": func(s *sealer) places {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.write(5)
			s.close()
			return places{"a": s.stored, "b": s.stored}
		},
		"a place that is late": func(s *sealer) places {
			s.write(5)
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.write(5)
			late := slices.Clone(s.stored)
			s.write(5)
			s.close()
			return places{"a": s.stored, "b": late[:len(late)-3]}
		},
		"a place that is known to lack some": func(s *sealer) places {
			s.write(5)
			s.lacks = append(s.lacks, trail.Lack{Trail: s.id, Ranges: trail.Ranges{{From: 2, To: 4}}, Place: "b"})
			s.checkpoint(canonical.KindTrailCheckpoint)
			s.close()
			return places{"a": s.stored, "b": slices.Concat(s.stored[:2], s.stored[4:])}
		},
		"rotated, with heads": func(s *sealer) places {
			s.write(5)
			s.close()
			next := newSealer(t, r, s.component)
			next.tell(s)
			next.write(3)
			next.close()
			return places{"a": slices.Concat(s.stored, next.stored)}
		},
		"before it was sealed": func(s *sealer) places {
			s.write(2)
			s.close()
			old := s.decision()
			old.Spec.Timestamp.Time = noon.AddDate(0, 0, -1)
			return places{"a": append(s.stored, old)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			mustFindOnly(t, report(t, r, make(newSealer(t, r, "broker")), verify.Options{}), verify.Intact)
		})
	}
}

func TestWhatIsNotProvenIsUndetermined(t *testing.T) {
	r := newRoot(t)
	for name, c := range map[string]struct {
		code verify.Code
		make func(s *sealer) places
	}{
		"lost at a place that was not read": {verify.CodeLost, func(s *sealer) places {
			i := s.skip()
			s.lacks = append(s.lacks, trail.Lack{Trail: s.id, Ranges: trail.Ranges{{From: i, To: i + 1}}, Place: "lake"})
			s.close()
			return places{"a": s.stored}
		}},
		"more leaves than a checkpoint carries": {verify.CodeNotCovered, func(s *sealer) places {
			s.write(5)
			s.failed.Add(s.skip())
			s.write(3)
			s.from = 8
			s.close()
			return places{"a": s.stored}
		}},
		"no checkpoint": {verify.CodeNoCheckpoint, func(s *sealer) places {
			s.write(3)
			return places{"a": s.stored[1:]}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			codes := []verify.Code{c.code}
			if c.code == verify.CodeNoCheckpoint {
				codes = append(codes, verify.CodeNothing)
			}
			mustFindOnly(t, report(t, r, c.make(newSealer(t, r, "broker")), verify.Options{}), verify.Undetermined, codes...)
		})
	}
	mustFindOnly(t, report(t, r, places{}, verify.Options{}), verify.Undetermined, verify.CodeNothing)
}

func TestShortenedEventsAreHeldAgainstWholeOnes(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.write(2)
	long := s.decision()
	long.Spec.Reason = strings.Repeat("long ", 100)
	s.seal(long)
	s.stored = append(s.stored, long)
	s.close()
	for name, c := range map[string]struct {
		verdict verify.Verdict
		codes   []verify.Code
		alone   bool
		edit    func(ae *v1alpha1.AuditEvent)
	}{
		"shortened":                {verify.Intact, nil, false, func(*v1alpha1.AuditEvent) {}},
		"shortened, and alone":     {verify.Undetermined, []verify.Code{verify.CodeShortened}, true, func(*v1alpha1.AuditEvent) {}},
		"shortened, and edited":    {verify.Tampered, []verify.Code{verify.CodeEdited}, false, func(ae *v1alpha1.AuditEvent) { ae.Spec.Count = 7 }},
		"of another text":          {verify.Tampered, []verify.Code{verify.CodeEdited}, false, func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason = "x" + ae.Spec.Reason }},
		"edited, and marked as it": {verify.Tampered, []verify.Code{verify.CodeEdited}, false, func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason, ae.Annotations["paddock.dev/omitted"] = "", "x" }},
	} {
		short := long.DeepCopy()
		short.Spec.Reason = texts.Shorten(short.Spec.Reason, 200)
		c.edit(short)
		lake := slices.Concat(s.stored[:3], []*v1alpha1.AuditEvent{short}, s.stored[4:])
		sources := []reading.Source{file(t, "lake", lake), file(t, "cluster", s.stored)}
		if c.alone {
			sources = sources[:1]
		}
		v := verify.New(r.trust(t), verify.Options{})
		if err := v.Read(t.Context(), sources...); err != nil {
			t.Fatal(err)
		}
		mustFindOnly(t, v.Report(), c.verdict, c.codes...)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// file is the source of a file with these events.
func file(t *testing.T, name string, events []*v1alpha1.AuditEvent) reading.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, bytes.Join(lines(events), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return reading.Files(name, path)
}

func TestNothingIsProvenWithoutACertificate(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, newRoot(t), "broker")
	s.write(3)
	s.close()
	mustFindOnly(t, report(t, r, places{"a": s.stored}, verify.Options{}), verify.Undetermined, verify.CodeUnvouched, verify.CodeNothing)
}
