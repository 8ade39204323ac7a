package driver_test

import (
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// someEvents calls f with valid events of all shapes.
func someEvents(n int, f func(ae *v1alpha1.AuditEvent)) {
	fill := randfill.NewWithSeed(7).NilChance(.3).NumElements(0, 3).Funcs(
		func(at *metav1.Time, c randfill.Continue) { *at = metav1.Unix(1+c.Int63n(4e9), c.Int63n(1e9)) },
		func(s *string, c randfill.Continue) { *s = "x" + c.String(20) },
		func(ref *v1alpha1.LocalReference, c randfill.Continue) { ref.Name = "x" + c.String(20) },
		func(d *v1alpha1.AuditDestination, c randfill.Continue) {
			d.Host, d.Port = c.String(20), c.Int31n(65536)
		},
	)
	for range n {
		ae := &v1alpha1.AuditEvent{}
		fill.Fill(&ae.Spec)
		ae.Spec.Decision, ae.Spec.Kind, ae.Spec.Count = v1alpha1.AuditDecisionWarned, "any-kind", max(ae.Spec.Count, 0)
		ae.Namespace, ae.GenerateName = ns, "ae-"
		ae.Labels = map[string]string{"team": "a"}
		ae.Annotations = map[string]string{"note": "b"}
		ae.Finalizers = []string{"paddock.dev/hold"}
		ae.OwnerReferences = []metav1.OwnerReference{*completeInput().OwnerRef}
		f(ae)
	}
}

func TestAnObjectIsEqualAndSharesNothing(t *testing.T) {
	someEvents(500, func(ae *v1alpha1.AuditEvent) {
		e := prepared(t, ae)
		got, second := e.Object(), e.Object()
		// JSON has no empty maps and slices, and nor has an object.
		if indented(t, got) != indented(t, ae) || !reflect.DeepEqual(got, second) {
			t.Fatalf("got %s, want %s", indented(t, got), indented(t, ae))
		}
		taken := map[uintptr]bool{}
		for _, of := range []any{ae, second, e.Spec()} {
			references(reflect.ValueOf(of), func(at uintptr, _ reflect.Type) { taken[at] = true })
		}
		references(reflect.ValueOf(got), func(at uintptr, what reflect.Type) {
			if taken[at] {
				t.Fatalf("an object shares a %v with the caller's event, the event or another object", what)
			}
		})
	})
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

// kept keeps the compiler from putting an object on the stack.
var kept *v1alpha1.AuditEvent

func BenchmarkObject(b *testing.B) {
	ae := denial()
	e := prepared(b, ae)
	for name, copied := range map[string]func() *v1alpha1.AuditEvent{"Object": e.Object, "DeepCopy": ae.DeepCopy} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				kept = copied()
			}
		})
	}
}
