package driver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// omittedKey is the detail that says how many were left out.
const omittedKey = "audit.omitted"

// fitted returns spec as a driver gets it. The caller's own must stay as it is.
func fitted(t *testing.T, ae *v1alpha1.AuditEvent) v1alpha1.AuditEventSpec {
	t.Helper()
	before := ae.Spec.DeepCopy()
	got := prepared(t, ae).Object()
	if !reflect.DeepEqual(&ae.Spec, before) {
		t.Error("the caller's spec was changed")
	}
	return got.Spec
}

// ofDetail returns a valid event with that detail.
func ofDetail(detail map[string]string) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{Kind: "detailed", Decision: v1alpha1.AuditDecisionDenied, Detail: detail})
}

func TestAnEventWithinTheBoundsStaysAsItIs(t *testing.T) {
	ae := complete()
	if got := fitted(t, ae); !reflect.DeepEqual(got, ae.Spec) {
		t.Errorf("got %s, want %s", indented(t, got), indented(t, ae.Spec))
	}
}

func TestWhatIsTooLongIsCutTheSameEveryTime(t *testing.T) {
	in := completeInput()
	in.Reason, in.RunName, in.MatchedPolicy, in.Host = text(2000), text(1025), text(1025), "\xff"
	in.CredentialName, in.Provider, in.Purpose = text(1025), text(1<<20), text(1025)
	in.SampleDestinations = []v1alpha1.AuditDestination{{Host: text(2000)}, {Port: 70000}, {Port: -1}, {}, {}}
	in.Detail = map[string]string{"long": text(5000), text(200): "key", "bad": "a\xffb"}
	ae := auditing.NewEvent(in)
	s := fitted(t, ae)
	e := prepared(t, ae)
	if again := prepared(t, ae); !bytes.Equal(e.JSON(), again.JSON()) {
		t.Error("the same event comes out differently")
	}
	if again := prepared(t, e.Object()); !e.Same(again.Object()) {
		t.Error("what was cut is cut again")
	}
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
	ae := denial()
	ae.Spec.Destination.Port = 70000
	got := fitted(t, ae)
	if got.Destination.Port != 0 || got.Destination.Host != "api.example.com" || got.Detail["port"] != "70000" {
		t.Errorf("destination %+v, detail %v", got.Destination, got.Detail)
	}
}

func TestTenThousandDetailKeysAreCutToTheBoundAndCounted(t *testing.T) {
	detail := map[string]string{}
	for i := range 10_000 {
		detail[fmt.Sprintf("key-%05d", i)] = "v"
	}
	got := fitted(t, ofDetail(detail)).Detail
	if len(got) != v1alpha1.MaxDetailEntries || !strings.HasPrefix(got[omittedKey], "9937 of 10000 entries left out") {
		t.Errorf("%d entries, %s: %q", len(got), omittedKey, got[omittedKey])
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
	got := fitted(t, ofDetail(detail)).Detail
	if len(got) != len(detail) || got["\uFFFD"] != "v" || got["\uFFFD#20"] != "v" {
		t.Errorf("%d keys of %d are left: %v", len(got), len(detail), got)
	}
}

func TestAnEntryOfTheCallersUnderTheKeyOfTheNoteStaysBesideIt(t *testing.T) {
	detail := map[string]string{omittedKey: "mine"}
	for i := range 100 {
		detail[fmt.Sprintf("z%d", i)] = "v"
	}
	got := fitted(t, ofDetail(detail)).Detail
	if got[omittedKey+"#2"] != "mine" || !strings.HasPrefix(got[omittedKey], "38 of 101 ") || len(got) != v1alpha1.MaxDetailEntries {
		t.Errorf("%d entries, %q and %q", len(got), got[omittedKey], got[omittedKey+"#2"])
	}
}

func TestTheLargestEventStaysUnderLokisLimitOfALine(t *testing.T) {
	hostile := strings.Repeat("\x00", 1<<20)
	in := auditing.EventInput{
		Kind: "hostile", Decision: v1alpha1.AuditDecisionDenied,
		RunName: hostile, Reason: hostile, MatchedPolicy: hostile, Host: hostile, CredentialName: hostile,
		Provider: hostile, Purpose: hostile, SampleDestinations: []v1alpha1.AuditDestination{{Host: hostile}, {Host: hostile}, {Host: hostile}},
		Detail: map[string]string{},
	}
	for i := range 64 {
		in.Detail[fmt.Sprint(i, hostile)] = hostile
	}
	ae := auditing.NewEvent(in)
	ae.Spec.Actor = &v1alpha1.AuditActor{User: hostile, ServiceAccount: hostile, SourceAddress: hostile, UserAgent: hostile}
	for range 100 {
		ae.Spec.Actor.Groups = append(ae.Spec.Actor.Groups, hostile)
	}
	ae.Spec.Object = &v1alpha1.AuditObject{Group: hostile, Resource: hostile, Namespace: hostile, Name: hostile, UID: hostile, Subresource: hostile}
	ae.Spec.Request = &v1alpha1.AuditRequest{ID: hostile, Verb: hostile}
	ae.Spec.Trace = &v1alpha1.AuditTrace{TraceID: hostile, SpanID: hostile}
	e := prepared(t, ae)
	data, err := json.Marshal(e.Object())
	if err != nil || len(data) > 256<<10 || len(e.JSON()) > 256<<10 {
		t.Errorf("%d bytes of the server's JSON, %d of JSON (%v)", len(data), len(e.JSON()), err)
	}
}

func TestShortenKeepsTheLimitAndIsSeen(t *testing.T) {
	for _, unit := range []string{"x", "é", "世", "😀", "\xff", "a\xff"} {
		for limit := 64; limit < 70; limit++ {
			for _, n := range []int{1, 20, 64, 65, 500} {
				whole := strings.Repeat(unit, n)
				got := driver.Shorten(whole, limit)
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
	if driver.Shorten(text(1000)+"a", 64) == driver.Shorten(text(1000)+"b", 64) {
		t.Error("two texts that differ behind the cut look alike")
	}
}
