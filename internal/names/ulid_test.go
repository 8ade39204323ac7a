package names

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"k8s.io/apimachinery/pkg/util/validation"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)

func name(t *testing.T, prefix string, at time.Time) string {
	t.Helper()
	text, err := Append(nil, prefix, "broker", at)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestANameIsThePrefixAndALowerCaseULIDOfItsTime(t *testing.T) {
	end := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	for _, c := range []struct{ when, want time.Time }{
		{noon, noon},
		{time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)},
		{end, end},
	} {
		got := name(t, "ae-run-", c.when)
		id, ok := strings.CutPrefix(strings.TrimSuffix(got, "-broker"), "ae-run-")
		if !ok || !strings.HasSuffix(got, "-broker") || id != strings.ToLower(id) || len(validation.IsDNS1123Subdomain(got)) > 0 {
			t.Errorf("name %q", got)
		}
		parsed, err := ulid.ParseStrict(id)
		if err != nil || parsed.Time() != uint64(c.want.UnixMilli()) {
			t.Errorf("%v: ULID %q of %v, want %v (%v)", c.when, id, parsed.Timestamp(), c.want, err)
		}
		if !IsMade(got, "ae-run-", "broker", c.when) {
			t.Errorf("%q is not known as a name of this package's", got)
		}
	}
}

func TestTheULIDOfANameHoldsTheSequence(t *testing.T) {
	for range 100 {
		got := name(t, "", noon)
		parsed, err := ulid.ParseStrict(strings.TrimSuffix(got, "-broker"))
		if err != nil {
			t.Fatal(err)
		}
		entropy := parsed.Entropy()
		if binary.BigEndian.Uint16(entropy) != ulidSequence.hi || binary.BigEndian.Uint64(entropy[2:]) != ulidSequence.lo {
			t.Errorf("%s holds %x, and the sequence is at %x %x", got, entropy, ulidSequence.hi, ulidSequence.lo)
		}
		ulidSequence.lo += 0x9e3779b97f4a7c15 // so that every digit changes
	}
}

func TestANameOfAnotherPrefixOrTimeIsNotMadeHere(t *testing.T) {
	made := name(t, "ae-", noon)
	for _, c := range []struct {
		name, prefix string
		t            time.Time
	}{
		{made, "ae-run-", noon},
		{made, "ae-", noon.Add(time.Millisecond)},
		{made[:len(made)-1], "ae-", noon},
		{made[:len(made)-1] + "!", "ae-", noon},
		{made[:len(made)-len("-broker")], "ae-", noon},
		{made[:len(made)-len("broker")] + "proxy", "ae-", noon},
		{"mine", "ae-", noon},
		{"", "", noon},
	} {
		if IsMade(c.name, c.prefix, "broker", c.t) {
			t.Errorf("IsMade(%q, %q, %v)", c.name, c.prefix, c.t)
		}
	}
}

func TestTheLongestPrefixMakesAName(t *testing.T) {
	if got := name(t, strings.Repeat("x", MaxPrefix), noon); len(validation.IsDNS1123Subdomain(got)) > 0 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestNamesOfOneTimeSortInTheOrderInWhichTheyWereGiven(t *testing.T) {
	var last string
	for range 10_000 {
		next := name(t, "ae-", noon)
		if next <= last {
			t.Fatalf("%s does not sort after %s", next, last)
		}
		last = next
	}
}

func TestConcurrentWritersGetDistinctNamesEachInItsOwnOrder(t *testing.T) {
	const writers, each = 16, 500
	names := make([][]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				text, _ := Append(nil, "ae-", "broker", noon)
				names[w] = append(names[w], string(text))
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, own := range names {
		if !slices.IsSorted(own) {
			t.Error("one writer's names are out of order")
		}
		for _, name := range own {
			seen[name] = true
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d distinct names of %d", len(seen), writers*each)
	}
}

func TestTheSequenceCarriesIntoItsUpperHalf(t *testing.T) {
	s := sequence{started: true, hi: 7, lo: 1<<64 - 1}
	if hi, lo := s.next(); hi != 8 || lo >= 1<<32 {
		t.Errorf("after an overflow: hi %d, lo %d", hi, lo)
	}
}

func TestNameLeavesOutAComponentThatCannotEndIt(t *testing.T) {
	long := strings.Repeat("x", MaxPrefix-3)
	run := strings.Repeat("0", ulid.EncodedSize)
	for _, c := range []struct{ prefix, component string }{
		{"ae-", ""}, {"ae-", "Broker"}, {"ae-", "a.b"}, {"ae-", "a_b"}, {long, "broker"}, {run + "-", "broker"}, {"ae-" + run + "-", "broker"},
	} {
		text, err := Append(nil, c.prefix, c.component, noon)
		if err != nil || len(text) != len(c.prefix)+ulid.EncodedSize {
			t.Errorf("prefix %q, component %q: name %q (%v)", c.prefix, c.component, text, err)
		}
		if IsMade(string(text), c.prefix, c.component, noon) {
			t.Errorf("prefix %q, component %q: %q counts as the component's", c.prefix, c.component, text)
		}
	}
}
