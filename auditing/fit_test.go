package auditing

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func TestAnEventWithinTheBoundsIsNotCopied(t *testing.T) {
	ae := NewEvent(eventInput)
	if fit(ae) != ae {
		t.Error("fit copies an event that fits")
	}
}

func TestWhatIsTooLongIsCutInACopyAndTheSameEveryTime(t *testing.T) {
	in := eventInput
	in.Reason, in.RunName, in.MatchedPolicy, in.Host = text(2000), text(1025), text(1025), "\xff"
	in.CredentialName, in.Provider, in.Purpose = text(1025), text(1<<20), text(1025)
	in.SampleDestinations = []v1alpha1.AuditDestination{{Host: text(2000)}, {Port: 70000}, {Port: -1}, {}, {}}
	in.Detail = map[string]string{"long": text(5000), text(200): "key", "bad": "a\xffb"}
	ae := NewEvent(in)
	before := ae.DeepCopy()
	got := fit(ae)
	if !reflect.DeepEqual(ae, before) {
		t.Error("fit changed the caller's event")
	}
	if !reflect.DeepEqual(got, fit(ae)) || fit(got) != got {
		t.Error("fit is not deterministic, or its result does not fit")
	}
	identified(t, got)
	if _, errs := stored(t, got); len(errs) > 0 {
		t.Errorf("the API server refuses what fit made: %v", errs)
	}
	s := got.Spec
	for name, text := range map[string]string{
		"reason": s.Reason, "run": s.RunRef.Name, "policy": s.MatchedPolicy.Name, "credential": s.Credential.Name,
		"provider": s.Credential.Provider, "purpose": s.Credential.Purpose, "sample": s.SampleDestinations[0].Host,
		"detail": s.Detail["long"],
	} {
		if !strings.Contains(text, " bytes, sha256 ") {
			t.Errorf("the cut of the %s is not seen in %q", name, text)
		}
	}
	if s.Destination.Host != "\uFFFD" || s.Detail["bad"] != "a\uFFFDb" {
		t.Errorf("what is not UTF-8 became %q and %q", s.Destination.Host, s.Detail["bad"])
	}
	for key, want := range map[string]string{
		"sampleDestinationsOmitted": "2", "sampleDestinations[1].port": "70000", "sampleDestinations[2].port": "-1",
	} {
		if s.Detail[key] != want {
			t.Errorf("detail %s is %q, want %q", key, s.Detail[key], want)
		}
	}
}

func TestAPortThatIsNoneMovesIntoDetail(t *testing.T) {
	ae := NewEgressBlock(egressInput)
	ae.Spec.Destination.Port = 70000
	got := fit(ae).Spec
	if got.Destination.Port != 0 || got.Destination.Host != "api.example.com" || got.Detail["port"] != "70000" {
		t.Errorf("destination %+v, detail %v", got.Destination, got.Detail)
	}
}

func TestTenThousandDetailKeysAreCutToTheBoundAndCounted(t *testing.T) {
	detail := map[string]string{}
	for i := range 10_000 {
		detail[fmt.Sprintf("key-%05d", i)] = "v"
	}
	got := fit(NewEvent(EventInput{Detail: detail})).Spec.Detail
	if len(got) != v1alpha1.MaxDetailEntries || !strings.HasPrefix(got[detailOmitted], "9937 of 10000 entries left out") {
		t.Errorf("%d entries, %s: %q", len(got), detailOmitted, got[detailOmitted])
	}
	if got["key-00000"] != "v" || got["key-00062"] != "v" {
		t.Error("the first keys in order are not the ones kept")
	}
}

func TestDetailKeysThatCollideWhenCutAllStay(t *testing.T) {
	detail := map[string]string{}
	for i := range 20 { // not UTF-8, so that each becomes the same key
		detail[string([]byte{0xf0 + byte(i%16)})+strings.Repeat("\xff", i)] = "v"
	}
	got := fit(NewEvent(EventInput{Detail: detail})).Spec.Detail
	if len(got) != len(detail) || got["\uFFFD"] != "v" || got["\uFFFD#20"] != "v" {
		t.Errorf("%d keys of %d are left: %v", len(got), len(detail), got)
	}
}

func TestAnEntryOfTheCallersUnderTheKeyOfTheNoteStaysBesideIt(t *testing.T) {
	detail := map[string]string{detailOmitted: "mine"}
	for i := range 100 {
		detail[fmt.Sprintf("z%d", i)] = "v"
	}
	got := fit(NewEvent(EventInput{Detail: detail})).Spec.Detail
	if got[detailOmitted+"#2"] != "mine" || !strings.HasPrefix(got[detailOmitted], "38 of 101 ") || len(got) != v1alpha1.MaxDetailEntries {
		t.Errorf("%d entries, %q and %q", len(got), got[detailOmitted], got[detailOmitted+"#2"])
	}
}

func TestTheLargestEventStaysUnderLokisLimitOfALine(t *testing.T) {
	hostile := strings.Repeat("\x00", 1<<20)
	in := EventInput{
		RunName: hostile, Reason: hostile, MatchedPolicy: hostile, Host: hostile, CredentialName: hostile,
		Provider: hostile, Purpose: hostile, SampleDestinations: []v1alpha1.AuditDestination{{Host: hostile}, {Host: hostile}, {Host: hostile}},
		Detail: map[string]string{},
	}
	for i := range 64 {
		in.Detail[fmt.Sprint(i, hostile)] = hostile
	}
	data, err := json.Marshal(fit(NewEvent(in)))
	if err != nil || len(data) > 256<<10 {
		t.Errorf("%d bytes of JSON (%v)", len(data), err)
	}
}

func TestShortenKeepsTheLimitAndIsSeen(t *testing.T) {
	for _, unit := range []string{"x", "é", "世", "😀", "\xff", "a\xff"} {
		for limit := 64; limit < 70; limit++ {
			for _, n := range []int{1, 20, 64, 65, 500} {
				whole := strings.Repeat(unit, n)
				got := Shorten(whole, limit)
				if utf8.RuneCountInString(got) > limit || !utf8.ValidString(got) {
					t.Fatalf("Shorten(%q × %d, %d) = %q", unit, n, limit, got)
				}
				clean := strings.ToValidUTF8(whole, "\uFFFD")
				if (utf8.RuneCountInString(clean) <= limit) != (got == clean) || got != clean && !strings.HasSuffix(got, "]") {
					t.Fatalf("Shorten(%q × %d, %d) = %q", unit, n, limit, got)
				}
			}
		}
	}
	if Shorten(text(1000)+"a", 64) == Shorten(text(1000)+"b", 64) {
		t.Error("two texts that differ behind the cut look alike")
	}
}
