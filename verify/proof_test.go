package verify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/verify"
)

func TestEveryEventOfATrailIsProvenAlone(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.cert = ""
	for n := range 9 {
		s.write(n)
		s.checkpoint(canonical.KindTrailCheckpoint)
	}
	s.certify(r, noon, noon.AddDate(0, 0, 1))
	s.close()
	source := file(t, "a", s.stored)
	v := verify.New(r.trust(t), verify.Options{})
	if err := v.Read(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	mustFindOnly(t, v.Report(), verify.Intact)
	for i, ae := range s.stored {
		p, err := v.Prove(t.Context(), ae.Namespace+"/"+ae.Name, source)
		if err != nil {
			t.Fatalf("index %d: %v", i, err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := verify.ParseProof(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Check(r.trust(t))
		if err != nil {
			t.Fatal(err)
		}
		mustFindOnly(t, got, verify.Intact)
		again.Event = json.RawMessage(strings.Replace(string(again.Event), "run-7", "run-8", 1))
		if got, err := again.Check(r.trust(t)); err != nil || got.Verdict != verify.Tampered {
			t.Errorf("index %d: an edited event: %v, %v", i, got, err)
		}
		if p, _ = verify.ParseProof(text); len(p.Hashes) > 0 {
			p.Hashes = slices.Clone(p.Hashes[1:])
			if got, err := p.Check(r.trust(t)); err != nil || got.Verdict != verify.Tampered {
				t.Errorf("index %d: a hash less: %v, %v", i, got, err)
			}
		}
	}
}

func TestWhatIsNotProvenHasNoProof(t *testing.T) {
	r := newRoot(t)
	s := newSealer(t, r, "broker")
	s.write(2)
	s.checkpoint(canonical.KindTrailCheckpoint)
	s.write(1)
	edited := s.stored[2].DeepCopy()
	edited.Spec.Reason = "x"
	source := file(t, "a", append(slices.Clone(s.stored[:2]), edited, s.stored[3], s.stored[4]))
	v := verify.New(r.trust(t), verify.Options{})
	if err := v.Read(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	v.Report()
	for name, want := range map[string]string{
		"none": "no event", edited.Name: "is not proven", s.stored[4].Name: "behind the last checkpoint",
	} {
		if _, err := v.Prove(t.Context(), name, source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
