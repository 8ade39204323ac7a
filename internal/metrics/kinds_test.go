package metrics

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// register registers kinds that must be good.
func register(t *testing.T, kinds ...v1alpha1.AuditKind) {
	t.Helper()
	if err := RegisterKinds(kinds...); err != nil {
		t.Fatal(err)
	}
}

func TestARegisteredKindCountsUnderItsName(t *testing.T) {
	keepSeries(t)
	Event("kinds", denied, "quota-exceeded", Failed)
	register(t, "quota-exceeded", "tea-brewed", block)
	register(t, "quota-exceeded")
	for _, kind := range []v1alpha1.AuditKind{"quota-exceeded", "quota-exceeded", "tea-brewed", "unheard-of", block} {
		Event("kinds", denied, kind, Failed)
	}
	want := map[string]float64{"denied other": 2, "denied quota-exceeded": 2, "denied tea-brewed": 1, "denied egress-block": 1}
	for _, name := range []string{eventsName, failuresName} {
		if got := seriesFor(t, name, "kinds"); !maps.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestAWrongKindIsNamedAndNoneOfItsCallIsRegistered(t *testing.T) {
	keepSeries(t)
	for _, wrong := range []v1alpha1.AuditKind{"", "Tea_Brewed", "a/b", v1alpha1.AuditKind(strings.Repeat("k", 64)), Other} {
		err := RegisterKinds("good", wrong)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("kind %q", wrong)) {
			t.Errorf("%q: error %v does not name it", wrong, err)
		}
	}
	err := RegisterKinds("A", "B")
	if err == nil || !strings.Contains(err.Error(), `"A"`) || !strings.Contains(err.Error(), `"B"`) {
		t.Errorf("error %v does not name both kinds", err)
	}
	if got := kindLabel("good"); got != Other {
		t.Errorf("a kind registered beside a wrong one counts as %q", got)
	}
}

func TestAKindBeyondTheBoundIsRefused(t *testing.T) {
	keepSeries(t)
	var all []v1alpha1.AuditKind
	for i := range MaxKinds {
		all = append(all, v1alpha1.AuditKind(fmt.Sprintf("kind-%d", i)))
	}
	register(t, all[:MaxKinds-1]...)
	if err := RegisterKinds(all[MaxKinds-1], "beyond"); err == nil || !strings.Contains(err.Error(), "101 kinds, at most 100") {
		t.Errorf("error %v", err)
	}
	if got := kindLabel(all[MaxKinds-1]); got != Other {
		t.Errorf("a kind registered beside one too many counts as %q", got)
	}
	register(t, all...)
	register(t, block) // known kinds take no room
	if err := RegisterKinds("beyond"); err == nil {
		t.Error("no error for one kind more")
	}
	if got := kindLabel(all[0]); got != string(all[0]) {
		t.Errorf("after an error a registered kind counts as %q", got)
	}
}
