package trail_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/trail"
)

func leaf(i int) tlog.Hash { return tlog.RecordHash(fmt.Append(nil, i)) }

func TestRootsAreThoseOfTlog(t *testing.T) {
	var f trail.Frontier
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for n := range 2001 {
		want, err := tlog.TreeHash(int64(n), read)
		if err != nil || f.Root() != want || f.Size() != int64(n) {
			t.Fatalf("%d leaves: root %v, want %v (%v)", n, f.Root(), want, err)
		}
		again, err := trail.NewFrontier(f.Size(), slices.Clone(f.Hashes()))
		if err != nil || again.Root() != want {
			t.Fatalf("%d leaves: the frontier's hashes make %v (%v)", n, again.Root(), err)
		}
		more, err := tlog.StoredHashesForRecordHash(int64(n), leaf(n), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		f.Add(leaf(n))
	}
	if _, err := trail.NewFrontier(3, f.Hashes()[:1]); err == nil {
		t.Error("a frontier of three leaves has one hash")
	}
}

func TestSealHasOneSpelling(t *testing.T) {
	s := trail.Seal{Trail: trail.NewID(), Index: 17, Salt: trail.NewSalt()}
	if got, err := trail.ParseSeal(s.String()); err != nil || got != s {
		t.Errorf("%s: %+v, %v", s, got, err)
	}
	fields := strings.Fields(s.String())
	for i, wrong := range [][]string{
		{"", "v2", "V1"},
		{"", "x", strings.ToLower(s.Trail), s.Trail[1:], "8" + s.Trail[1:]},
		{"", "-1", "017", "+17", "1e1", "99999999999999999999"},
		{"", "x", fields[3] + "A", fields[3][1:], fields[3][:15] + "=", fields[3] + "\n"},
	} {
		for _, text := range wrong {
			other := slices.Clone(fields)
			other[i] = text
			if _, err := trail.ParseSeal(strings.Join(other, " ")); err == nil {
				t.Errorf("%q is taken for a seal", strings.Join(other, " "))
			}
		}
	}
	for _, text := range []string{"", "v1", s.String() + " ", " " + s.String(), s.String() + " x"} {
		if _, err := trail.ParseSeal(text); err == nil {
			t.Errorf("%q is taken for a seal", text)
		}
	}
}

func TestRangesAreTheSetOfWhatWasAdded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var r trail.Ranges
		set := map[int64]bool{}
		for range random.IntN(60) {
			i := random.Int64N(50)
			r.Add(i)
			set[i] = true
		}
		for i := range int64(52) {
			if r.Has(i) != set[i] {
				t.Fatalf("%v of %v: Has(%d) is %v", r, slices.Sorted(maps.Keys(set)), i, r.Has(i))
			}
		}
		again, err := trail.ParseRanges(r.String())
		if err != nil || !slices.Equal(again, r) || r.Len() != int64(len(set)) {
			t.Fatalf("%v: parsed %v, %v; %d of %d", r, again, err, r.Len(), len(set))
		}
	}
	for _, text := range []string{",", "1,", "a", "-1", "2-1", "1-1", "3,2", "1,2", "1-2,3", "01", "1-2-3", " 1", "1-99999999999999999999"} {
		if r, err := trail.ParseRanges(text); err == nil {
			t.Errorf("%q is taken for the ranges %v", text, r)
		}
	}
}

// checkpoint returns one with everything in it.
func checkpoint(t testing.TB, leaves int) *trail.Checkpoint {
	t.Helper()
	id := trail.NewID()
	_, key, err := trail.NewKey(trail.Origin("prod", "broker", id))
	if err != nil {
		t.Fatal(err)
	}
	c := &trail.Checkpoint{
		Key: key, Certificate: "a certificate\n", Settled: trail.Range{From: 3, To: 900}, Failed: trail.Ranges{{5, 6}, {8, 30}},
		Unclear: trail.Ranges{{7, 8}}, Stored: trail.Ranges{{2, 3}}, First: time.Unix(1, 5).UTC(), Last: time.Unix(9, 0).UTC(), Note: "a note\n",
		Lacks: []trail.Lack{{id, trail.Ranges{{1, 2}}, "a lake"}, {trail.NewID(), trail.Ranges{{1, 9}, {12, 13}}, "lake"}},
	}
	for range 2 {
		origin := trail.Origin("prod", "proxy", trail.NewID())
		signer, key, err := trail.NewKey(origin)
		if err != nil {
			t.Fatal(err)
		}
		head, err := trail.Head{Origin: origin, Size: 7, Root: leaf(1)}.Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		c.Heads, c.Keys = append(c.Heads, head), append(c.Keys, trail.OtherKey{Key: key, Certificate: "a certificate\nof several lines\n"})
	}
	for i := range 777 {
		c.Before.Add(leaf(i))
	}
	for i := range leaves {
		c.Leaves = append(c.Leaves, leaf(i))
	}
	return c
}

func TestCheckpointComesBackAsItWas(t *testing.T) {
	for _, leaves := range []int{0, 1, 96, 97, trail.MaxLeaves} {
		c := checkpoint(t, leaves)
		detail := c.Detail()
		got, err := trail.ParseCheckpoint(detail)
		if err != nil || !maps.Equal(got.Detail(), detail) || got.Before.Root() != c.Before.Root() || got.Index() != c.Index() {
			t.Fatalf("%d leaves: %v", leaves, err)
		}
		for key, text := range detail {
			if len(text) > trail.MaxText {
				t.Errorf("%d leaves: %s is %d bytes long", leaves, key, len(text))
			}
		}
		if len(detail) > 64 {
			t.Errorf("%d entries", len(detail))
		}
	}
}

func TestLongestCheckpointIsNotCut(t *testing.T) {
	c := checkpoint(t, trail.MaxLeaves)
	detail := c.Detail()
	for _, key := range []string{"certificate", "failed", "unclear", "stored", "lacks", "heads", "note", "keys.00", "keys.01"} {
		detail[key] = strings.Repeat("x", trail.MaxText)
	}
	ae := auditing.NewEvent(auditing.EventInput{Namespace: "audit", Kind: "trail-checkpoint", Decision: v1alpha1.AuditDecisionGranted})
	ae.Spec.Detail = detail
	e, err := driver.Prepare(ae, "broker")
	if err != nil || !maps.Equal(maps.Collect(e.Detail()), detail) {
		t.Errorf("%d entries become others: %v", len(detail), err)
	}
}

func TestCheckpointThatIsNotAsWrittenIsRefused(t *testing.T) {
	good := checkpoint(t, 100).Detail()
	for key, text := range map[string]string{
		"from": "0777", "frontier": "AAAA", "leaves.00": good["leaves.00"] + "AAAA", "leaves.01": "\n" + good["leaves.01"], "leaves.02": "x",
		"settled": "1,5", "failed": "2-1", "stored": "x", "unclear": "x", "lacks": "one two", "first": "noon", "last": "1970-01-01T00:00:09.0Z",
		"heads": "a/b 1 x", "keys.00": "x\na certificate", "keys.01": good["key"] + "\n", "keys.03": good["keys.01"], "other": "x", "leaves.2": "x", "leaves.22": good["leaves.00"],
	} {
		bad := maps.Clone(good)
		bad[key] = text
		if _, err := trail.ParseCheckpoint(bad); err == nil {
			t.Errorf("%s: %.40q is taken", key, text)
		}
	}
	line, _, _ := strings.Cut(good["heads"], "\n")
	fields := strings.Fields(line)
	for name, heads := range map[string]string{
		"no signature":      strings.Join(fields[:3], " "),
		"a short signature": strings.TrimSuffix(line, fields[3]) + fields[3][4:],
		"an open signature": strings.TrimSuffix(line, "="),
		"two spaces":        strings.Replace(line, " ", "  ", 1),
		"too many":          strings.TrimSuffix(strings.Repeat(line+"\n", trail.MaxHeads+1), "\n"),
	} {
		bad := maps.Clone(good)
		bad["heads"] = heads
		if _, err := trail.ParseCheckpoint(bad); err == nil {
			t.Errorf("heads with %s are taken", name)
		}
	}
	delete(good, "frontier")
	if _, err := trail.ParseCheckpoint(good); err == nil {
		t.Error("a checkpoint without a frontier is taken")
	}
}

func TestHeadsOpenWithTheirKeyAlone(t *testing.T) {
	origin := trail.Origin("prod", "broker", trail.NewID())
	signer, key, err := trail.NewKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	head, err := trail.Head{Origin: origin, Size: 3, Root: leaf(3)}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	signed := head.Note()
	if h, err := trail.OpenHead(signed, key); err != nil || h != head.Head {
		t.Errorf("%+v, %v", h, err)
	}
	if again, err := trail.ParseSignedHead(signed); err != nil || again != head || again.Open(key) != nil {
		t.Errorf("%+v, %v", again, err)
	}
	_, other, _ := trail.NewKey(origin)
	if head.Open(other) == nil {
		t.Error("another key of the same name opens it")
	}
	larger := strings.Replace(signed, "\n3\n", "\n4\n", 1)
	if h, err := trail.ParseSignedHead(larger); err != nil || h.Open(key) == nil {
		t.Errorf("another size has the same signature, or is not parsed: %v", err)
	}
	elsewhere := trail.Origin("prod", "broker", trail.NewID())
	if _, err := (trail.Head{Origin: elsewhere, Size: 3, Root: leaf(3)}).Sign(signer); err == nil {
		t.Error("the key signs for another trail")
	}
	if foreign, err := trail.ParseSignedHead(strings.ReplaceAll(signed, origin, elsewhere)); err != nil || foreign.Open(key) == nil {
		t.Errorf("the key speaks for another trail, or it is not parsed: %v", err)
	}
	for _, text := range []string{"", "\n\n", signed + signed, signed[:len(signed)-1], strings.Replace(signed, "— ", "- ", 1), signed + strings.SplitAfter(signed, "\n\n")[1]} {
		if _, err := trail.ParseSignedHead(text); err == nil {
			t.Errorf("%q is taken for a signed head", text)
		}
	}
}

func TestCertificatesOpenWithTheirRootAlone(t *testing.T) {
	_, key, _ := trail.NewKey(trail.Origin("prod", "broker", trail.NewID()))
	root, public, _ := trail.NewKey("prod/broker")
	_, other, _ := trail.NewKey("prod/broker")
	c := trail.Certificate{Key: key, NotBefore: time.Unix(1, 0).UTC(), NotAfter: time.Unix(100, 0).UTC()}
	signed, err := c.Certify(root)
	if err != nil {
		t.Fatal(err)
	}
	list := func(key string) note.Verifiers {
		v, err := note.NewVerifier(key)
		if err != nil {
			t.Fatal(err)
		}
		return note.VerifierList(v)
	}
	if got, name, err := trail.OpenCertificate(signed, list(public)); err != nil || got != c || name != "prod/broker" {
		t.Errorf("%+v of %s, %v", got, name, err)
	}
	if _, _, err := trail.OpenCertificate(signed, list(other)); err == nil {
		t.Error("another root opens it")
	}
}
