package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/verify"
)

// Both notes are there to be shown to somebody else.
func TestWhatHeadsShowIsShownWithBothNotes(t *testing.T) {
	for name, code := range map[string]verify.Code{
		"the tail cut, and others tell of it":                          verify.CodeTailCut,
		"a trail deleted, and others tell of it":                       verify.CodeTrailDeleted,
		"a trail written anew with its own key, and others tell of it": verify.CodeFork,
	} {
		x := newExported(t)
		of := x.proxy
		if code == verify.CodeTailCut {
			of = x.first
		}
		manipulations[name].do(x)
		r := report(t, x.root, places{"a": x.events}, verify.Options{})
		i := slices.IndexFunc(r.Findings, func(f verify.Finding) bool { return f.Code == code })
		if i < 0 || len(r.Findings[i].Notes) != 2 || r.Findings[i].Notes[1] != of.head.Note() {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
}

func TestHeadsThatNoKeySignedAreNoted(t *testing.T) {
	for _, name := range []string{
		"a head of a trail that never was", "a head of a trail that never was, with a certificate of another", "a head that is too large",
		"a head with another root", "a head in the signature of another trail", "a trail deleted of which others have the head, and not the key",
	} {
		x := newExported(t)
		manipulations[name].do(x)
		r := report(t, x.root, places{"a": x.events}, verify.Options{})
		if n := len(slices.DeleteFunc(r.Findings, func(f verify.Finding) bool { return f.Code != verify.CodeHead })); n != 1 {
			t.Errorf("%s: %d notes", name, n)
		}
	}
	x := newExported(t)
	manipulations["an older head"].do(x)
	r := report(t, x.root, places{"a": x.events}, verify.Options{})
	if slices.ContainsFunc(r.Findings, func(f verify.Finding) bool { return f.Code == verify.CodeHead }) {
		t.Errorf("%+v", r.Findings)
	}
}

// A key that the trust vouched for once shows a deleted trail also when it is not used any more.
func TestARetiredLongTermKeyShowsADeletedTrail(t *testing.T) {
	r := newRoot(t)
	other := newRoot(t)
	gone, by := newSealer(t, r, "broker"), newSealer(t, other, "proxy")
	gone.write(3)
	gone.close()
	by.tell(gone)
	by.close()
	for name, c := range map[string]struct {
		notBefore, notAfter string
		code                verify.Code
	}{
		"used then":      {"2026-01-01T00:00:00Z", "2126-01-01T00:00:00Z", verify.CodeTrailDeleted},
		"retired since":  {"2026-01-01T00:00:00Z", "2026-04-25T13:00:00Z", verify.CodeTrailDeleted},
		"retired before": {"2026-01-01T00:00:00Z", "2026-04-25T10:00:00Z", verify.CodeHead},
		"made later":     {"2026-04-28T00:00:00Z", "2126-01-01T00:00:00Z", verify.CodeHead},
	} {
		text := r.yaml()
		text = strings.Replace(text, "notBefore: 2026-01-01T00:00:00Z, notAfter: 2126-01-01T00:00:00Z}", fmt.Sprintf("notBefore: %s, notAfter: %s}\n- {name: other, key: %q, components: [proxy]}", c.notBefore, c.notAfter, other.key), 1)
		trust, err := verify.ParseTrust([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v := verify.New(trust, verify.Options{})
		if err := v.Read(t.Context(), file(t, "a", by.stored)); err != nil {
			t.Fatal(err)
		}
		got := v.Report()
		if !slices.ContainsFunc(got.Findings, func(f verify.Finding) bool { return f.Code == c.code && f.Trail == gone.id }) {
			t.Errorf("%s: %s with %+v", name, got.Verdict, got.Findings)
		}
	}
}
