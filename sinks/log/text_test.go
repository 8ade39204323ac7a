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

	"go.uber.org/zap/zapcore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// twoWays returns a write that gives the line as we write it and as zap does.
func twoWays(t *testing.T, logger string) (write func(*v1alpha1.AuditEvent) (ours, zaps []byte)) {
	t.Helper()
	var direct, through bytes.Buffer
	a, err := NewWriter(&direct, Options{Component: "proxy", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), zapcore.AddSync(&through), zapcore.DebugLevel)
	b, err := New(core, Options{Component: "proxy", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return func(ae *v1alpha1.AuditEvent) (ours, zaps []byte) {
		direct.Reset()
		through.Reset()
		if err := a.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		if err := b.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
		return direct.Bytes(), through.Bytes()
	}
}

// randomEvent fills what it fills with texts of the given letters.
func randomEvent(random *rand.Rand, letters []string) *v1alpha1.AuditEvent {
	text := func() string {
		var b strings.Builder
		for range random.IntN(20) {
			b.WriteString(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	ae := newEvent("")
	ae.Spec.Decision = []v1alpha1.AuditDecision{"granted", "warned", "denied"}[random.IntN(3)]
	ae.Spec.Timestamp = metav1.NewTime(time.Unix(random.Int64N(4e9), random.Int64N(1e9)))
	ae.Spec.RunRef.Name, ae.Spec.MatchedPolicy.Name = "r"+text(), "p"+text()
	ae.Spec.Reason, ae.Spec.Destination.Host = text(), text()
	if random.IntN(2) == 0 {
		ae.Spec.Credential = &v1alpha1.AuditCredential{Name: text(), Provider: text(), Purpose: text()}
		ae.Spec.Count = random.Int32N(3)
		ae.Spec.SampleDestinations = []v1alpha1.AuditDestination{{}, {Host: text(), Port: random.Int32N(65536)}}
		ae.Spec.WindowStart, ae.Spec.WindowEnd = new(metav1.Unix(random.Int64N(4e9), 0)), new(metav1.Unix(random.Int64N(4e9), 1))
		ae.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Pod", Name: "p", UID: "u", Controller: new(true), BlockOwnerDeletion: new(false)},
			{APIVersion: "v1", Kind: "Pod", Name: "q", UID: "v"},
		}
		ae.Finalizers = []string{"example.com/keep"}
	}
	for range random.IntN(30) {
		ae.Spec.Detail[text()] = text()
	}
	return ae
}

var usual = strings.Split(`abcXYZ019 -_./:{}[],"'\<>&=`+"\n\r\t\x00\x1f\x7f\xffé世😀", "")

func TestLineEqualsThatOfZapsEncoder(t *testing.T) {
	write := twoWays(t, `audit "<é>"`)
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		if ours, zaps := write(randomEvent(random, usual)); !bytes.Equal(ours, zaps) {
			t.Fatalf("ours %szap's %s", ours, zaps)
		}
	}
}

// Backspace and form feed have short escapes in encoding/json and none in zap;
// the line separators of Unicode are escaped there and not in zap.
func TestAnyLineReadsBackAsThatOfZapsEncoder(t *testing.T) {
	write := twoWays(t, "")
	random := rand.New(rand.NewPCG(3, 4))
	letters := slices.Concat(usual, []string{"\b", "\f", "\u2028", "\u2029"})
	for range 2000 {
		ours, zaps := write(randomEvent(random, letters))
		var a, b any
		if err := json.Unmarshal(ours, &a); err != nil {
			t.Fatalf("%v in %s", err, ours)
		}
		if err := json.Unmarshal(zaps, &b); err != nil {
			t.Fatalf("%v in %s", err, zaps)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("ours %szap's %s", ours, zaps)
		}
	}
}
