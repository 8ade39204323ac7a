package canonical_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
)

func page(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/canonical.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A field that is added to the type needs a tag, and a row on the page.
func TestThePageHasTheTagOfEachField(t *testing.T) {
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-zA-Z.\\[\\]]+)` \\| `([0-9a-f ]+)` \\| ([a-z ]+) \\|$").FindAllStringSubmatch(page(t), -1) {
		documented[row[1]] = row[2] + ", " + row[3]
	}
	actual := map[string]string{}
	for _, path := range []string{"name", "namespace", "labels", "annotations"} {
		describe(t, actual, []string{"metadata", path})
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[v1alpha1.AuditEventSpec]()) {
		path := []string{"spec", jsonName(field)}
		describe(t, actual, path)
		inner := field.Type
		if inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[metav1.Time]() {
			for _, field := range reflect.VisibleFields(inner) {
				describe(t, actual, append(path[:2:2], jsonName(field)))
			}
		}
	}
	for path, is := range actual {
		if documented[path] != is {
			t.Errorf("%s: the page says %q, and the code %q", path, documented[path], is)
		}
	}
	for path := range maps.Keys(documented) {
		if actual[path] == "" {
			t.Errorf("the page has the field %s, which no event has", path)
		}
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// describe adds the tag and the kind of the field at path: those that are new in the form
// when nothing but the field is set.
func describe(t *testing.T, to map[string]string, path []string) {
	t.Helper()
	ae := &v1alpha1.AuditEvent{}
	v, name := reflect.ValueOf(ae).Elem(), path[0]
	var kind string
	for i, part := range path {
		if i > 0 && v.Kind() == reflect.Slice {
			name += "[]"
			v = v.Index(0)
		}
		if i > 0 {
			name += "." + part
		}
		v = fieldNamed(t, v, part)
		kind = set(t, v)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
	}
	fields := map[byte][]byte{}
	collect(t, canonical.AppendObject(nil, ae), fields)
	if name != "spec.timestamp" {
		delete(fields, 0x13)
	} else {
		kind = "exact " + kind
	}
	if len(fields) != 1 {
		t.Fatalf("%s gives the fields %x", name, fields)
	}
	for tag, value := range fields {
		tags := fmt.Sprintf("%02x", tag)
		if len(path) == 3 {
			inner := map[byte][]byte{}
			if strings.Contains(name, "[]") {
				d := decoder{rest: value}
				value = d.value()
			}
			collect(t, value, inner)
			for tag := range inner {
				tags += fmt.Sprintf(" %02x", tag)
			}
		}
		to[name] = tags + ", " + kind
	}
}

func fieldNamed(t *testing.T, v reflect.Value, name string) reflect.Value {
	t.Helper()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if jsonName(f) == name {
			return v.FieldByIndex(f.Index)
		}
	}
	t.Fatalf("no field %s in %s", name, v.Type())
	return v
}

// set sets v to what is not left out, and says what the page calls its kind.
func set(t *testing.T, v reflect.Value) string {
	t.Helper()
	switch at := v.Addr().Interface().(type) {
	case *metav1.Time:
		at.Time = time.Unix(1, 0)
		return "time"
	case **metav1.Time:
		*at = &metav1.Time{Time: time.Unix(1, 0)}
		return "time"
	case *[]string:
		*at = []string{"x"}
		return "list of texts"
	case *map[string]string:
		*at = map[string]string{"paddock.dev/x": "y"}
		return "map"
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
		return "text"
	case reflect.Int32:
		v.SetInt(1)
		return "number"
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return "object"
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return "list of objects"
	case reflect.Struct:
		return "object"
	}
	t.Fatalf("the page has no kind for %s", v.Type())
	return ""
}

// collect puts the fields of an object into to.
func collect(t *testing.T, object []byte, to map[byte][]byte) {
	t.Helper()
	takes := map[byte]func([]byte){}
	for tag := range 256 {
		takes[byte(tag)] = func(value []byte) { to[byte(tag)] = value }
	}
	d := &decoder{rest: object}
	if d.fields(takes); d.err != nil {
		t.Fatal(d.err)
	}
}

func TestThePagesExampleIsRight(t *testing.T) {
	_, example, _ := strings.Cut(page(t), "\n## An example\n")
	blocks := regexp.MustCompile("(?s)```(json|text)\n(.*?)```").FindAllStringSubmatch(example, -1)
	if len(blocks) != 2 {
		t.Fatalf("the example has %d blocks, want the event and its form", len(blocks))
	}
	ae := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal([]byte(blocks[0][2]), ae); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for line := range strings.Lines(blocks[1][2]) {
		bytes, _, _ := strings.Cut(line, "  ") // what they mean stands behind two spaces
		shown += strings.ReplaceAll(strings.TrimSpace(bytes), " ", "")
	}
	if form := hex.EncodeToString(canonical.AppendObject(nil, ae)); shown != form {
		t.Errorf("the page shows\n%s, and the form is\n%s", shown, form)
	}
}

// What docs/canonical.md lists as left out is, and the annotation of the time is not.
func TestWhatIsLeftOutDoesNotCount(t *testing.T) {
	event := func(change func(*v1alpha1.AuditEvent)) string {
		ae := &v1alpha1.AuditEvent{}
		if err := json.Unmarshal([]byte(whole), ae); err != nil {
			t.Fatal(err)
		}
		change(ae)
		return string(canonical.AppendObject(nil, ae))
	}
	is := event(func(*v1alpha1.AuditEvent) {})
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"other metadata": func(ae *v1alpha1.AuditEvent) {
			ae.ObjectMeta = metav1.ObjectMeta{Name: ae.Name, Namespace: ae.Namespace, Labels: ae.Labels, Annotations: ae.Annotations}
		},
		"the type":               func(ae *v1alpha1.AuditEvent) { ae.TypeMeta = metav1.TypeMeta{} },
		"other labels":           func(ae *v1alpha1.AuditEvent) { ae.Labels["app"], ae.Labels["x.paddock.dev/y"] = "z", "z" },
		"other annotations":      func(ae *v1alpha1.AuditEvent) { ae.Annotations["note"] = "z" },
		"the seal":               func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationSeal] = "z" },
		"what a place has left":  func(ae *v1alpha1.AuditEvent) { delete(ae.Annotations, "paddock.dev/omitted") },
		"a fraction of a window": func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowEnd.Time = ae.Spec.WindowEnd.Add(time.Second / 2) },
	} {
		if event(change) != is {
			t.Errorf("%s counts", name)
		}
	}
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"the annotation of the time": func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationTimestamp] += " " },
		"a label":                    func(ae *v1alpha1.AuditEvent) { ae.Labels["paddock.dev/x"] = "" },
		"a note":                     func(ae *v1alpha1.AuditEvent) { delete(ae.Spec.Detail, canonical.DetailNote) },
		"an empty object":            func(ae *v1alpha1.AuditEvent) { ae.Spec.Trace = &v1alpha1.AuditTrace{} },
		"no object":                  func(ae *v1alpha1.AuditEvent) { ae.Spec.Trace = nil },
	} {
		if event(change) == is {
			t.Errorf("%s does not count", name)
		}
	}
}
