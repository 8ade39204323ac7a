package flood

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
)

// complete returns an event with every field of spec.
func complete() *v1alpha1.AuditEvent {
	ae := &v1alpha1.AuditEvent{}
	ae.Name, ae.Namespace = "ae-1", "team-a"
	fill(reflect.ValueOf(&ae.Spec).Elem())
	ae.Spec.Decision = v1alpha1.AuditDecisionDenied
	return ae
}

// fill sets every field below v.
func fill(v reflect.Value) {
	if _, ok := v.Interface().(metav1.Time); ok {
		v.Set(reflect.ValueOf(metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "text", "b": "text"}))
	case reflect.String:
		v.SetString("text")
	case reflect.Int32:
		v.SetInt(7)
	default:
		panic(fmt.Sprintf("how is a %v filled?", v.Type()))
	}
}

// changes makes every change below v, one at a time, and calls made after each.
func changes(v reflect.Value, path string, made func(what string)) {
	with := func(what string, value any) {
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		v.Set(reflect.ValueOf(value).Convert(v.Type()))
		made(path + what)
		v.Set(before)
	}
	switch value := v.Interface().(type) {
	case metav1.Time:
		with(" later", metav1.NewTime(value.Add(time.Hour)))
		return
	case v1alpha1.AuditDecision:
		with(" other", v1alpha1.AuditDecisionWarned)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		with(" missing", reflect.Zero(v.Type()).Interface())
		changes(v.Elem(), path, made)
	case reflect.Struct:
		for i := range v.NumField() {
			changes(v.Field(i), path+"."+v.Type().Field(i).Name, made)
		}
	case reflect.Slice:
		with(" shorter", v.Slice(0, 1).Interface())
		for i := range v.Len() {
			changes(v.Index(i), fmt.Sprintf("%s[%d]", path, i), made)
		}
	case reflect.Map:
		with(" shorter", map[string]string{"a": "text"})
		with(" of another key", map[string]string{"a": "text", "c": "text"})
		with(" of another value", map[string]string{"a": "text", "b": "other"})
	case reflect.String:
		with(" longer", v.String()+"-more")
	case reflect.Int32:
		with(" more", v.Int()+1)
	default:
		panic(fmt.Sprintf("how is a %v changed?", v.Type()))
	}
}

func identified(t *testing.T, ae *v1alpha1.AuditEvent, component string) identity {
	t.Helper()
	e, err := driver.Prepare(ae.DeepCopy(), component)
	if err != nil {
		t.Fatal(err)
	}
	return identityOf(e)
}

func TestEveryChangeOfSpecChangesTheIdentity(t *testing.T) {
	ae := complete()
	seen := map[identity]string{identified(t, ae, ""): "no change"}
	n := 0
	changes(reflect.ValueOf(&ae.Spec).Elem(), "spec", func(what string) {
		n++
		id := identified(t, ae, "")
		if before, ok := seen[id]; ok {
			t.Errorf("%s gives the identity of %s", what, before)
		}
		seen[id] = what
	})
	if n < 28 {
		t.Errorf("%d changes were tried, want at least 28", n)
	}
}

func TestIdentityIsOfNameTimeAndComponent(t *testing.T) {
	ae := complete()
	id := identified(t, ae, "broker")
	for what, change := range map[string]func(*v1alpha1.AuditEvent){
		"name":       func(ae *v1alpha1.AuditEvent) { ae.Name = "ae-2" },
		"namespace":  func(ae *v1alpha1.AuditEvent) { ae.Namespace = "team-b" },
		"nanosecond": func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = ae.Spec.Timestamp.Add(1) },
	} {
		other := complete()
		change(other)
		if identified(t, other, "broker") == id {
			t.Errorf("another %s gives the same identity", what)
		}
	}
	if identified(t, ae, "proxy") == id {
		t.Error("another component gives the same identity")
	}
	ae.Labels = map[string]string{"attempt": "2"}
	if identified(t, ae, "broker") != id {
		t.Error("a label of the writer's own gives another identity")
	}
}
