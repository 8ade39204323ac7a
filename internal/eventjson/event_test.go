package eventjson_test

import (
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// withoutServers returns a copy of ae without what only an API server fills in.
func withoutServers(ae *v1alpha1.AuditEvent) *v1alpha1.AuditEvent {
	ae = ae.DeepCopy()
	kept := metav1.ObjectMeta{
		Name: ae.Name, GenerateName: ae.GenerateName, Namespace: ae.Namespace, Labels: ae.Labels,
		Annotations: ae.Annotations, OwnerReferences: ae.OwnerReferences, Finalizers: ae.Finalizers,
	}
	ae.ObjectMeta, ae.TypeMeta = kept, metav1.TypeMeta{}
	return ae
}

// A field that is added to the type is told of here when Copy or CopyTo forgets it.
func TestEveryFieldIsCopied(t *testing.T) {
	ae := filled(t)
	e, got := &eventjson.Event{}, &v1alpha1.AuditEvent{}
	e.Copy(ae)
	e.CopyTo(got)
	if want := withoutServers(ae); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestACopySharesNothing(t *testing.T) {
	ae := filled(t)
	e, first := &eventjson.Event{}, &v1alpha1.AuditEvent{}
	e.Copy(ae)
	e.CopyTo(first)
	want := string(e.Append(nil))
	for _, changed := range []*v1alpha1.AuditEvent{ae, first} {
		change(reflect.ValueOf(changed).Elem())
		if got := string(e.Append(nil)); got != want {
			t.Fatalf("a change of an object shows in the copy:\ngot  %s\nwant %s", got, want)
		}
	}
}

// change alters everything that v reaches and that can be changed in place.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			change(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				change(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			change(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	default:
		v.SetZero()
	}
}

// A text that is added to the type cannot be forgotten when texts are shortened.
func TestTextsAreAllTextsOfTheSpec(t *testing.T) {
	ae := filled(t)
	ae.Spec.Detail = nil
	named := map[*string]bool{}
	paths := map[string]bool{}
	for text, f := range eventjson.Texts(&ae.Spec) {
		named[text] = true
		paths[f.Path()] = true
		if f.Limit() == 0 {
			t.Errorf("%s has no limit", f.Path())
		}
	}
	n := 0
	texts(reflect.ValueOf(&ae.Spec).Elem(), func(path string, text *string) {
		if path == ".decision" || path == ".kind" {
			return
		}
		n++
		if !named[text] {
			t.Errorf("%s is not among the texts", path)
		}
		if !paths["spec"+path] {
			t.Errorf("no field has the path spec%s", path)
		}
	})
	if n != len(named) || n == 0 {
		t.Errorf("%d texts, %d names", n, len(named))
	}
}

func TestACopyOfAnEventCanBeChangedAlone(t *testing.T) {
	ae := filled(t)
	e, c := &eventjson.Event{}, &eventjson.Event{}
	e.Copy(ae)
	c.CopyOf(e, eventjson.AllFields)
	want := string(e.Append(nil))
	if got := string(c.Append(nil)); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	for f := range eventjson.NumFields { // each may be changed alone
		c := &eventjson.Event{}
		c.CopyOf(e, eventjson.Fields(0).With(f))
		for text, of := range eventjson.Texts(&c.Spec) {
			if of == f {
				*text = "changed"
			}
		}
		switch f {
		case eventjson.FieldRun, eventjson.FieldLabel, eventjson.FieldLabelKey:
			change(reflect.ValueOf(&c.Labels).Elem())
		case eventjson.FieldOwnerName, eventjson.FieldOwnerUID, eventjson.FieldAnnotation, eventjson.FieldAnnotationKey:
			change(reflect.ValueOf(&c.Annotations).Elem())
		case eventjson.FieldDetail, eventjson.FieldDetailKey:
			change(reflect.ValueOf(&c.Detail).Elem())
		}
		if got := string(e.Append(nil)); got != want {
			t.Fatalf("a change of %s in the copy shows:\ngot  %s\nwant %s", f.Path(), got, want)
		}
	}
}

func texts(v reflect.Value, found func(path string, text *string)) { textsAt("", v, found) }

func textsAt(path string, v reflect.Value, found func(path string, text *string)) {
	switch {
	case v.Type() == reflect.TypeFor[metav1.Time]():
	case v.Kind() == reflect.String:
		found(path, (*string)(v.Addr().UnsafePointer()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		textsAt(path, v.Elem(), found)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			textsAt(path, v.Index(i), found)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			textsAt(path+"."+name, v.Field(i), found)
		}
	}
}
