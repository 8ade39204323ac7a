package names_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"
	"github.com/paddock-dev/audit/internal/texts"
)

var noon = time.Date(2026, 4, 25, 12, 0, 0, 123456789, time.UTC)

// xs returns n letters.
func xs(n int) string { return strings.Repeat("x", n) }

func TestRunLabelIsALabelValueThatTellsRunsApart(t *testing.T) {
	for _, own := range []string{"hr-1", "Run_1.a", xs(63)} {
		if got := names.RunLabel(own); got != own {
			t.Errorf("RunLabel(%q) = %q, want the name itself", own, got)
		}
	}
	seen := map[string]string{}
	for _, odd := range []string{
		xs(64), xs(65), xs(63) + "y", "-", "_", "a-", "hr 1", "hr/1", "hr\x001", "ä", strings.Repeat("ä", 100), "\xff", strings.Repeat("-", 80),
	} {
		got := names.RunLabel(odd)
		if len(validation.IsValidLabelValue(got)) > 0 || got == "" {
			t.Errorf("RunLabel(%q) = %q is no label value", odd, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the same label %q", odd, other, got)
		}
		seen[got] = odd
	}
	if got := names.RunLabel("hr 1/" + xs(80)); !strings.HasPrefix(got, "hr-1-xxxx") || len(got) != 63 {
		t.Errorf("the label %q is not readable", got)
	}
}

func TestRunLabelIsThatOfTheNameThatIsStored(t *testing.T) {
	for _, run := range []string{"a\xff\xffb", "\xff", xs(60) + "\xf0\x90", xs(2000), strings.Repeat("\xe2\x82", 700)} {
		stored := texts.Shorten(run, v1alpha1.MaxNameLength)
		if got, want := names.RunLabel(run), names.RunLabel(stored); got != want || stored == run {
			t.Errorf("RunLabel(%.20q) is %q, and of the stored name %q", run, got, want)
		}
	}
}

// shortTexts calls f with every text of up to three of some letters, and with
// texts around the bounds.
func shortTexts(f func(string)) {
	const letters = "aZ09-_. /é\x00"
	f("")
	for _, n := range []int{62, 63, 64, 253, 254} {
		f(xs(n))
		f(xs(n-1) + "-")
	}
	for _, a := range letters {
		f(string(a))
		for _, b := range letters {
			f(string(a) + string(b))
			for _, c := range letters {
				f(string(a) + string(b) + string(c))
			}
		}
	}
}

func TestALabelValueIsWhatTheAPIServerTakesForOne(t *testing.T) {
	shortTexts(func(v string) {
		if got, want := names.IsLabelValue(v), len(validation.IsValidLabelValue(v)) == 0; got != want {
			t.Errorf("IsLabelValue(%q) is %t, the API server says %t", v, got, want)
		}
	})
}

func TestPlainNamesAreWhatTheAPIServerTakesForLabels(t *testing.T) {
	shortTexts(func(v string) {
		if got, want := names.IsPlain(v, 63), v == "" || len(validation.IsDNS1123Label(v)) == 0; got != want {
			t.Errorf("IsPlain(%q, 63) is %t, the API server says %t", v, got, want)
		}
	})
	if !names.IsPlain(xs(253), 253) || names.IsPlain(xs(254), 253) {
		t.Error("the limit is not kept")
	}
}

func TestRepresentableIsWhatRFC3339CanWrite(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want bool
	}{
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{time.Date(1, 1, 1, 0, 0, 0, -1, time.UTC), false},
		{noon, true},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), true},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), false},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{time.Unix(1<<60, 0), false},
	} {
		if got := names.Representable(c.t); got != c.want {
			t.Errorf("%v: %t, want %t", c.t, got, c.want)
		}
	}
}

func TestExactTimeTakesTheFractionOfTheSameSecondOnly(t *testing.T) {
	second := noon.Truncate(time.Second)
	for _, c := range []struct {
		t          time.Time
		annotation string
		want       time.Time
	}{
		{second, noon.Format(time.RFC3339Nano), noon},
		{second, noon.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano), noon},
		{second, noon.Add(time.Second).Format(time.RFC3339Nano), second},
		{second, "garbage", second},
		{second, "", second},
		{noon, second.Format(time.RFC3339Nano), noon},
	} {
		if got := names.ExactTime(c.t, c.annotation); !got.Equal(c.want) {
			t.Errorf("ExactTime(%v, %q) = %v, want %v", c.t, c.annotation, got, c.want)
		}
	}
}
