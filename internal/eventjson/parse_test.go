package eventjson_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// mustParseAlike fails unless Parse answers as encoding/json does.
func mustParseAlike(tb testing.TB, data string) {
	tb.Helper()
	want := &v1alpha1.AuditEvent{}
	wantErr := json.Unmarshal([]byte(data), want)
	got, err := eventjson.Parse([]byte(data))
	switch {
	case (err == nil) != (wantErr == nil):
		tb.Fatalf("%s: error %v, want %v", data, err, wantErr)
	case err == nil && !reflect.DeepEqual(got, want):
		tb.Fatalf("%s\ngot  %#v\nwant %#v", data, got, want)
	}
	var e eventjson.Event
	if same, err := e.Decode([]byte(data)); err == nil && same {
		if written := string(e.Append(nil)); written != data {
			tb.Fatalf("Decode says that Append writes\n%s\nand it writes\n%s", data, written)
		}
	}
}

func TestDecodeKnowsWhatAppendWrites(t *testing.T) {
	data := eventjson.Append(nil, sample())
	var e eventjson.Event
	if same, err := e.Decode(data); err != nil || !same {
		t.Errorf("got %v, %v for %s", same, err, data)
	}
}

func TestDecodeKnowsWhatAppendWritesOtherwise(t *testing.T) {
	data := string(eventjson.Append(nil, sample()))
	for _, swap := range [][2]string{
		{`"kind":"AuditEvent"`, `"kind":"\u0041uditEvent"`},
		{`"name":"`, `"name":"\u0041`},
		{`"name":"`, `"name":"é`},
		{`"reason":"`, `"reason":"","was":"`},
		{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"0001-01-01T00:00:00Z"`},
		{`"timestamp":"2026-04-25T12:00:00Z"`, `"timestamp":"2026-04-25T12:00:00+00:00"`},
	} {
		changed := strings.Replace(data, swap[0], swap[1], 1)
		if changed == data {
			t.Errorf("no %s in %s", swap[0], data)
		}
		var e eventjson.Event
		if same, _ := e.Decode([]byte(changed)); same {
			t.Errorf("Decode says that Append writes %s", changed)
		}
	}
}

// Of every beginning and with every byte of it spoilt, a record reads as
// encoding/json reads it. With -short, these are every fifth byte, and others in each run.
func TestWhatAppendDoesNotWriteIsReadAsByReflection(t *testing.T) {
	whole := string(eventjson.Append(nil, filled(t)))
	mustParseAlike(t, whole)
	first, step := 0, 1
	if testing.Short() {
		step = 5
		first = rand.IntN(step)
	}
	for i := first; i < len(whole); i += step {
		mustParseAlike(t, whole[:i])
		mustParseAlike(t, whole[:i]+whole[i+1:])
		for _, c := range []byte("\x00\"\\,}0\xff") {
			mustParseAlike(t, whole[:i]+string([]byte{c})+whole[i+1:])
			mustParseAlike(t, whole[:i]+string([]byte{c})+whole[i:])
		}
	}
	for _, swap := range [][2]string{
		{`"count":`, `"count":null,"was":`},
		{`"windowStart":"`, `"windowStart":null,"was":"`},
		{`"timestamp":"`, `"timestamp":null,"was":"`},
		{`"spec":`, `"status":{},"spec":`},
		{`"metadata":{`, `"metadata":{"uid":"u",`},
		{`"finalizers":[`, `"finalizers":[],"was":[`},
		{`"labels":{`, `"labels":{},"was":{`},
	} {
		changed := strings.Replace(whole, swap[0], swap[1], 1)
		if changed == whole {
			t.Errorf("no %s in %s", swap[0], whole)
		}
		mustParseAlike(t, changed)
	}
}

func TestParsingAllocatesLittle(t *testing.T) {
	const most = 8 // the event, its text, and two for each of three maps
	data := eventjson.Append(nil, sample())
	n := testing.AllocsPerRun(100, func() {
		if _, err := eventjson.Parse(data); err != nil {
			t.Fatal(err)
		}
	})
	if n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}

func TestParseKeepsNothingOfItsInput(t *testing.T) {
	data := eventjson.Append(nil, sample())
	ae, err := eventjson.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if got, want := string(eventjson.Append(nil, ae)), string(eventjson.Append(nil, sample())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzParse holds Parse against encoding/json.
func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add(string(eventjson.Append(nil, sample())))
	f.Add(string(eventjson.Append(nil, &v1alpha1.AuditEvent{})))
	f.Add(string(eventjson.Append(nil, filled(f))))
	f.Fuzz(func(t *testing.T, data string) { mustParseAlike(t, data) })
}

func BenchmarkParse(b *testing.B) {
	data := eventjson.Append(nil, sample())
	b.Run("eventjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := eventjson.Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal(data, &v1alpha1.AuditEvent{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
