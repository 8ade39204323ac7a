package log

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// encoderConfig makes zap's encoder write the lines that this package writes
// without it.
func encoderConfig() zapcore.EncoderConfig {
	return zapcore.EncoderConfig{
		LevelKey:    "level",
		TimeKey:     "ts",
		NameKey:     "logger",
		MessageKey:  "msg",
		EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeTime:  zapcore.RFC3339NanoTimeEncoder,
	}
}

// prepared returns ae as a Driver gets it.
func prepared(tb testing.TB, ae *v1alpha1.AuditEvent) *driver.Event {
	tb.Helper()
	e, err := driver.Prepare(ae.DeepCopy(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// encode returns the line of e as zap's encoder writes it.
func encode(t *testing.T, e *driver.Event) []byte {
	t.Helper()
	l := newLine(&coreOutput{logger: defaultLogger}, e)
	var out bytes.Buffer
	l.to.core = zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), zapcore.AddSync(&out), zapcore.DebugLevel)
	if _, err := l.run(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Whatever an event holds, its line reads back as its JSON does. A field that is
// added to the types and forgotten here fails this test.
func TestLineReadsBackAsTheEvent(t *testing.T) {
	fill := randfill.NewWithSeed(7).NilChance(.2).NumElements(0, 4).Funcs(
		func(at *metav1.Time, c randfill.Continue) {
			*at = metav1.Unix(c.Int63n(4e9), 0)
		},
		func(f *[]metav1.ManagedFieldsEntry, _ randfill.Continue) { *f = nil },
	)
	for range 2000 {
		var ae v1alpha1.AuditEvent
		fill.Fill(&ae)
		ae.TypeMeta = metav1.TypeMeta{APIVersion: apiVersion, Kind: kindAuditEvent}
		ae.SelfLink = "" //nolint:staticcheck // deprecated, and still filled
		ae.UID, ae.ResourceVersion, ae.Generation = "", "", 0
		ae.Name = "named-" + ae.Name // as every event that is written
		ae.CreationTimestamp, ae.DeletionTimestamp, ae.DeletionGracePeriodSeconds = metav1.Time{}, nil, nil

		var want, got v1alpha1.AuditEvent
		text, err := json.Marshal(&ae)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		e, err := driver.Decode(text) // Prepare would refuse it
		if err != nil {
			t.Fatal(err)
		}
		line := encode(t, e)
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("the line\n%s\nreads back other than the event\n%s", line, text)
		}
	}
}

func TestALineLeavesOutWhatOnlyAServerSets(t *testing.T) {
	plain, served := newEvent("ae-1"), newEvent("ae-1")
	served.UID = types.UID("5f0c")
	served.ResourceVersion = "42"
	served.Generation = 1
	served.CreationTimestamp = metav1.Now()
	served.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "broker"}}
	if a, b := encode(t, prepared(t, plain)), encode(t, prepared(t, served)); !bytes.Equal(a, b) {
		t.Errorf("the line changes with what a server sets:\n%s%s", a, b)
	}
}

func TestTheLevelFollowsTheDecision(t *testing.T) {
	for decision, want := range map[v1alpha1.AuditDecision]string{
		v1alpha1.AuditDecisionGranted: "info",
		v1alpha1.AuditDecisionWarned:  "warn",
		v1alpha1.AuditDecisionDenied:  "error",
	} {
		ae := newEvent("ae-1")
		ae.Spec.Decision = decision
		var got struct{ Level, TS, Logger, Msg string }
		if err := json.Unmarshal(encode(t, prepared(t, ae)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Level != want {
			t.Errorf("%s is logged as %s, want %s", decision, got.Level, want)
		}
		if got.TS != "2026-03-01T10:00:00.25Z" || got.Logger != "audit" || got.Msg != "egress-block" {
			t.Errorf("ts, logger and msg are %+v", got)
		}
	}
}

// Map order is random in Go; a line's is not. The event that a reader decoded,
// without the fraction of a second in its spec, gives the line again too.
func TestTheSameEventAlwaysGivesTheSameBytes(t *testing.T) {
	var out bytes.Buffer
	sink, err := NewWriter(&out, Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	ae := newEvent("")
	ae.Spec.Timestamp = metav1.NewTime(time.Date(2026, 3, 1, 11, 0, 0, 123_456_789, time.FixedZone("", 3600)))
	for range 20 {
		ae.Spec.Detail["k"+string(rune('a'+rand.IntN(3)))] = "" // grows while it is built
	}
	const writes = 50
	for range writes {
		clone := ae.DeepCopy() // another order of the maps
		if ae.Name == "" {
			clone = ae
		}
		if err := sink.Write(t.Context(), clone); err != nil {
			t.Fatal(err)
		}
	}
	first := mustParse(t, out.Bytes())[0]
	if err := sink.Write(t.Context(), &first); err != nil {
		t.Fatal(err)
	}
	lines := slices.Compact(strings.Split(strings.TrimSpace(out.String()), "\n"))
	if len(lines) != 1 {
		t.Errorf("one event gave different lines:\n%s", strings.Join(lines, "\n"))
	}
	if at := auditing.EventTime(&first); !at.Equal(ae.Spec.Timestamp.Time) {
		t.Errorf("the exact time reads back as %v, want %v", at, ae.Spec.Timestamp)
	}
}

// Whatever stands in a text, it stays one line of JSON and within its field.
func TestHostileTextCannotForgeALine(t *testing.T) {
	hostile := "a\nb\r\n{\"kind\":\"AuditEvent\"}\x00\x1b[2J\x7f\u009b\u202e\u2066\u2028\u2029\"},\"spec\":{\"decision\":\"granted\"}\\"
	var out bytes.Buffer
	sink, err := NewWriter(&out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ae := newEvent("ae-1")
	ae.Spec.RunRef.Name, ae.Spec.Reason, ae.Spec.Destination.Host = hostile, hostile, hostile
	ae.Spec.Detail = map[string]string{hostile: hostile, "bytes": "\xff\xfe", "msg": "m", "decision": "granted"}
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("the line has %U in it", r)
		}
	}
	got := mustParse(t, out.Bytes())
	if n := strings.Count(out.String(), "\n"); n != 1 || len(got) != 1 {
		t.Fatalf("%d line ends and %d events in %q", n, len(got), out.String())
	}
	spec := got[0].Spec
	if spec.Reason != hostile || spec.RunRef.Name != hostile || spec.Destination.Host != hostile || spec.Detail[hostile] != hostile {
		t.Errorf("a text changed: %q", out.String())
	}
	if spec.Decision != v1alpha1.AuditDecisionDenied || spec.Detail["bytes"] != "\ufffd" {
		t.Errorf("the spec reads back as %+v", spec)
	}
}
