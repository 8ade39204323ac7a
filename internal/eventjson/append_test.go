package eventjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// byReflection is what Append has to equal.
func byReflection(tb testing.TB, ae *v1alpha1.AuditEvent) string {
	tb.Helper()
	ae = ae.DeepCopy()
	ae.TypeMeta = metav1.TypeMeta{APIVersion: "paddock.dev/v1alpha1", Kind: "AuditEvent"}
	for _, servers := range []string{
		"UID", "ResourceVersion", "SelfLink", "Generation", "ManagedFields",
		"CreationTimestamp", "DeletionTimestamp", "DeletionGracePeriodSeconds",
	} {
		reflect.ValueOf(&ae.ObjectMeta).Elem().FieldByName(servers).SetZero()
	}
	var buffer bytes.Buffer
	enc := json.NewEncoder(&buffer)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(ae); err != nil {
		tb.Fatal(err)
	}
	return escaped(strings.TrimSuffix(buffer.String(), "\n"))
}

// escaped escapes what eventjson escapes beyond encoding/json.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func mustEqual(tb testing.TB, ae *v1alpha1.AuditEvent) {
	tb.Helper()
	if got, want := string(eventjson.Append([]byte("before "), ae)), "before "+byReflection(tb, ae); got != want {
		tb.Fatalf("got  %s\nwant %s", got, want)
	}
}

// Whoever adds a field to the type, or comes by one with a new apimachinery, is
// told here that Append has to write it.
func TestEveryFieldIsWritten(t *testing.T) { mustEqual(t, filled(t)) }

// filled returns an event whose every field is set.
func filled(tb testing.TB) *v1alpha1.AuditEvent {
	tb.Helper()
	ae := &v1alpha1.AuditEvent{}
	n := 0
	randfill.New().NilChance(0).NumElements(2, 2).Funcs(
		func(s *string, _ randfill.Continue) {
			n++
			*s = "text " + strings.Repeat("é\n", n%3) + strconv.Itoa(n)
		},
		func(d *v1alpha1.AuditDecision, _ randfill.Continue) { *d = v1alpha1.AuditDecisionWarned },
		func(k *v1alpha1.AuditKind, _ randfill.Continue) { *k = v1alpha1.AuditKindRunFailed },
		func(u *types.UID, _ randfill.Continue) { *u = "uid" },
		func(i *int32, _ randfill.Continue) { n++; *i = int32(n) },
		func(b *bool, _ randfill.Continue) { *b = true },
		func(at *metav1.Time, _ randfill.Continue) { n++; at.Time = time.Unix(int64(1e9+n), 5) },
		func(f *metav1.FieldsV1, _ randfill.Continue) { _ = f.UnmarshalJSON([]byte("{}")) },
	).Fill(ae)
	mustBeSet(tb, "", reflect.ValueOf(ae).Elem())
	return ae
}

// mustBeSet fails for a zero value in v, which could not show a forgotten field.
func mustBeSet(tb testing.TB, path string, v reflect.Value) {
	tb.Helper()
	switch {
	case v.IsZero():
		tb.Errorf("%s is not set", path)
	case v.Kind() == reflect.Pointer:
		mustBeSet(tb, path, v.Elem())
	case v.Kind() == reflect.Slice && path != ".ObjectMeta.ManagedFields":
		mustBeSet(tb, path, v.Index(0))
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[metav1.Time]():
		for i := range v.NumField() {
			mustBeSet(tb, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

func TestEveryEventOfTheBuildersIsWrittenAsByReflection(t *testing.T) {
	text, err := os.ReadFile("../../auditing/testdata/builders.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Rows []struct{ Want v1alpha1.AuditEvent }
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) == 0 {
		t.Fatal("no rows")
	}
	for _, row := range table.Rows {
		mustEqual(t, &row.Want)
	}
}

func TestTheEmptyAndTheOddAreWrittenAsByReflection(t *testing.T) {
	events := []*v1alpha1.AuditEvent{
		{},
		{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{}, Annotations: map[string]string{"": ""},
			OwnerReferences: []metav1.OwnerReference{}, Finalizers: []string{""},
		}},
		{Spec: v1alpha1.AuditEventSpec{
			RunRef: &v1alpha1.LocalReference{}, Destination: &v1alpha1.AuditDestination{}, Credential: &v1alpha1.AuditCredential{},
			MatchedPolicy: &v1alpha1.LocalReference{}, Count: math.MinInt32,
			SampleDestinations: make([]v1alpha1.AuditDestination, 2), WindowStart: &metav1.Time{}, Detail: map[string]string{},
		}},
	}
	for _, year := range []int{-20000, -1, 0, 1, 1969, 9999, 10000, 200000} {
		at := time.Date(year, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -12345))
		events = append(events, &v1alpha1.AuditEvent{Spec: v1alpha1.AuditEventSpec{Timestamp: metav1.NewTime(at)}})
	}
	many := map[string]string{}
	for i := range 300 {
		many[strconv.Itoa(i)] = strconv.Itoa(i)
	}
	events = append(events, &v1alpha1.AuditEvent{ObjectMeta: metav1.ObjectMeta{Annotations: many, Labels: map[string]string{"z": "", "a": ""}}})
	for _, ae := range events {
		mustEqual(t, ae)
	}
}

// Each character stands at every place of the eight bytes that are looked at at once.
func TestEveryCharacterIsEscapedAsByReflection(t *testing.T) {
	odd := []string{
		"\u2028", "\u2029", "\u2027", "\ufffd", "é", "世", "😀", "\U0010ffff",
		"\xff", "\xe2\x80", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\x80\x80", `"\`, "\\\x00\"",
	}
	for c := range 256 {
		odd = append(odd, string([]byte{byte(c)}))
	}
	for _, s := range odd {
		ae := &v1alpha1.AuditEvent{Spec: v1alpha1.AuditEventSpec{Detail: map[string]string{}}}
		for before := range 9 {
			for behind := range 9 {
				text := strings.Repeat("a", before) + s + strings.Repeat("!", behind)
				ae.Spec.Detail[text] = text + text
			}
		}
		mustEqual(t, ae)
	}
}

// FuzzAppend fills an event from data.
func FuzzAppend(f *testing.F) {
	f.Add([]byte{}, "a")
	f.Add([]byte("an event of some fields, as good as any other"), "\xffé\u2028\"\\\n\x00")
	f.Fuzz(checkFilled)
}

func TestRandomEventsAreWrittenAsByReflection(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		data := make([]byte, random.IntN(n))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		return data
	}
	for range 1000 {
		data, text := bytesOf(600), bytesOf(40)
		checkFilled(t, data, string(text))
		if t.Failed() {
			t.Fatalf("data %q, text %q", data, text)
		}
	}
}

func checkFilled(t *testing.T, data []byte, text string) {
	ae := &v1alpha1.AuditEvent{}
	randfill.NewFromGoFuzz(data).NilChance(.4).NumElements(0, 6).Funcs(
		func(s *string, c randfill.Continue) {
			switch c.Intn(4) {
			case 0:
				*s = text
			case 1:
				*s = strings.Repeat("plain ", c.Intn(20)) + text
			case 2:
				*s = c.String(30)
			}
		},
		func(at *metav1.Time, c randfill.Continue) {
			if c.Bool() {
				at.Time = time.Unix(c.Int63()-c.Int63(), c.Int63n(1e9)).In(time.FixedZone("", c.Intn(86400)-43200))
			}
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { _ = m.UnmarshalJSON([]byte("{}")) },
	).Fill(ae)
	mustEqual(t, ae)
	mustParseAlike(t, string(eventjson.Append(nil, ae)))
}

func TestNothingIsAllocated(t *testing.T) {
	ae := sample()
	for i := range 64 - len(ae.Spec.Detail) {
		ae.Spec.Detail["key "+strconv.Itoa(i)] = "\x00é\u2028\xff"
	}
	e := &eventjson.Event{}
	e.Copy(ae)
	dst := slices.Grow([]byte(nil), 1<<16)
	if n := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0]) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// sample is an event as a broker stores it.
func sample() *v1alpha1.AuditEvent {
	return &v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{
			Name: "ae-01jsdd5r6n7zqkpxm5t2e3v4w8", Namespace: "team-a",
			Labels: map[string]string{
				v1alpha1.LabelRun: "run-7", v1alpha1.LabelDecision: "granted",
				v1alpha1.LabelKind: "credential-issued", v1alpha1.LabelComponent: "broker",
			},
			Annotations: map[string]string{v1alpha1.AnnotationTimestamp: "2026-04-25T12:00:00.123456789Z"},
		},
		Spec: v1alpha1.AuditEventSpec{
			RunRef: &v1alpha1.LocalReference{Name: "run-7"}, Decision: v1alpha1.AuditDecisionGranted,
			Kind:          v1alpha1.AuditKindCredentialIssued,
			Timestamp:     metav1.NewTime(time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)),
			Credential:    &v1alpha1.AuditCredential{Name: "github-token", Provider: "github", Purpose: "clone"},
			MatchedPolicy: &v1alpha1.LocalReference{Name: "allow-github"}, Reason: "the policy allows it",
			Detail: map[string]string{"repository": "team-a/service", "scope": "contents:read"},
		},
	}
}

func BenchmarkAppend(b *testing.B) {
	ae, dst := sample(), []byte(nil)
	e := &eventjson.Event{}
	e.Copy(ae)
	b.Run("eventjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = e.Append(dst[:0])
		}
		b.SetBytes(int64(len(dst)))
	})
	b.Run("encoding-json", func(b *testing.B) {
		var buffer bytes.Buffer
		enc := json.NewEncoder(&buffer)
		enc.SetEscapeHTML(false)
		b.ReportAllocs()
		for b.Loop() {
			buffer.Reset()
			if err := enc.Encode(ae); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(buffer.Len()))
	})
}
