package auditing

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

func TestACloneIsEqualAndSharesNothing(t *testing.T) {
	fill := randfill.NewWithSeed(7).NilChance(.3).NumElements(0, 12).Funcs(
		func(at *metav1.Time, c randfill.Continue) { *at = metav1.Unix(c.Int63n(4e9), c.Int63n(1e9)) },
	)
	for range 500 {
		var ae v1alpha1.AuditEvent
		fill.Fill(&ae)
		got := clone(&ae)
		if !reflect.DeepEqual(got, &ae) {
			t.Fatalf("got %s, want %s", indented(t, got), indented(t, &ae))
		}
		own := map[uintptr]bool{}
		references(reflect.ValueOf(&ae), func(at uintptr, _ reflect.Type) { own[at] = true })
		references(reflect.ValueOf(got), func(at uintptr, what reflect.Type) {
			if own[at] {
				t.Fatalf("a clone shares a %v with the event", what)
			}
		})
	}
}

// references visits everything below v through which v could be changed. A
// time's location is not part of it.
func references(v reflect.Value, visit func(at uintptr, what reflect.Type)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Pointer(), v.Type())
			references(v.Elem(), visit)
		}
	case reflect.Map:
		if !v.IsNil() {
			visit(v.Pointer(), v.Type())
		}
	case reflect.Slice:
		if v.Cap() > 0 {
			visit(v.Pointer(), v.Type())
		}
		for i := range v.Len() {
			references(v.Index(i), visit)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			return
		}
		for i := range v.NumField() {
			references(v.Field(i), visit)
		}
	}
}

func BenchmarkClone(b *testing.B) {
	ae := NewCredentialIssued(CredentialIssuedInput{run, ns, "TOKEN", "Vault", policy, reason, noon, 12})
	if err := identify(ae, "broker"); err != nil {
		b.Fatal(err)
	}
	for name, copied := range map[string]func(*v1alpha1.AuditEvent) *v1alpha1.AuditEvent{
		"clone": clone, "DeepCopy": (*v1alpha1.AuditEvent).DeepCopy,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkEvent = copied(ae)
			}
		})
	}
}
